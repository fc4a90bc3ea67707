"""Converting reports every tensor, loses none, and overwrites only with --force."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.cli.app import app
from videomae_cli.config.model import SelectSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.tasks.convert import convert
from videomae_cli.tasks.convert.source import Selection
from videomae_cli.tasks.load_model import read_checkpoint


@pytest.mark.parametrize("config", [AUTOENCODER, CLASSIFIER])
def test_native_to_v1_and_back_is_the_identity(tmp_path: Path, config: ModelConfig) -> None:
    source = written(tmp_path / "first", config.model_copy(update={"license": "CC0-1.0"}))

    convert.run(source, tmp_path / "v1.pth", Notes())
    convert.run(tmp_path / "v1.pth", tmp_path / "second", Notes())

    first, second = read_checkpoint(source), read_checkpoint(tmp_path / "second")
    assert second.config == first.config and second.config.license == "CC0-1.0"
    assert second.weights.keys() == first.weights.keys()
    assert all(torch.equal(second.weights[name], first.weights[name]) for name in first.weights)
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "second" / name).read_bytes() == (source / name).read_bytes()


def test_every_tensor_and_every_assumption_is_printed(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "first", CLASSIFIER))
    bare = {name.removeprefix("encoder."): t.half() for name, t in loaded.weights.items()}
    torch.save({"module": bare, "epoch": 7}, tmp_path / "found.pth")
    notes = Notes()

    result = convert.run(
        tmp_path / "found.pth", tmp_path / "out", notes, hints=Hints(heads=3, size=32, frames=4)
    )

    counts = [int(count) for _, _, count in notes.tables[0]]
    assert sum(counts) == len(loaded.weights) == 32
    assert ("encoder.blocks.0-1.attn.qkv.weight", "72x24", "2") in notes.tables[0]
    assert notes.has("dropped (not weights): epoch")
    assert notes.has("assumed: stored as float16, read as float32")
    assert notes.has("assumed: class names unknown: numbered 0 to 2")
    assert any("CC BY-NC 4.0" in line for line in notes.warned)
    report = result.as_json()["report"]
    assert len(report["matched"]) == 32 and report["dropped"] == {"epoch": "not weights"}


def test_the_licence_and_the_origin_travel_with_the_weights(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "first", AUTOENCODER))
    torch.save({"model": loaded.weights}, tmp_path / "found.pth")
    hints = Hints(heads=3, decoder_heads=2, size=32, frames=4)

    convert.run(tmp_path / "found.pth", tmp_path / "as-is", Notes(), hints=hints)
    convert.run(tmp_path / "found.pth", tmp_path / "mine", Notes(), hints=hints, license_text="MIT")
    convert.run(tmp_path / "as-is", tmp_path / "again.pth", Notes())

    as_is = read_checkpoint(tmp_path / "again.pth").config
    assert "CC-BY-NC-4.0" in (as_is.license or "")
    assert as_is.derived_from[0].startswith("found.pth")
    assert read_checkpoint(tmp_path / "mine").config.license == "MIT"


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    other = written(tmp_path / "second", CLASSIFIER, seed=1)
    (tmp_path / "v1.pth").write_text("mine")

    for out in (other, tmp_path / "v1.pth"):
        with pytest.raises(CheckpointError, match="exists") as caught:
            convert.run(source, out, Notes())
        assert "--force" in caught.value.hint
    assert (tmp_path / "v1.pth").read_text() == "mine"
    convert.run(source, tmp_path / "v1.pth", Notes(), force=True)
    convert.run(source, other, Notes(), force=True)

    expected = read_checkpoint(source).weights["head.weight"]
    for out in (other, tmp_path / "v1.pth"):
        assert torch.equal(read_checkpoint(out).weights["head.weight"], expected)


def test_force_does_not_replace_a_directory_with_other_files(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")

    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        convert.run(source, tmp_path / "home", Notes(), force=True)

    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"


def test_a_refused_source_leaves_no_output(tmp_path: Path) -> None:
    torch.save({"model": {"conv.weight": torch.zeros(1)}}, tmp_path / "resnet.pth")

    with pytest.raises(CheckpointError, match=r"conv\.weight"):
        convert.run(tmp_path / "resnet.pth", tmp_path / "out", Notes())

    assert not (tmp_path / "out").exists()


def test_a_hint_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)

    with pytest.raises(UsageError, match="--heads 4") as caught:
        convert.run(source, None, Notes(), hints=Hints(heads=4))

    assert "has 3" in caught.value.message


def test_formats_and_names_must_agree(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)

    with pytest.raises(UsageError, match="unknown format"):
        convert.run(source, tmp_path / "out", Notes(), to="keras")
    with pytest.raises(UsageError, match="native is a directory"):
        convert.run(source, tmp_path / "out.pth", Notes(), to="native")
    with pytest.raises(CheckpointError, match="is a file"):
        convert.run(source, tmp_path, Notes(), to="v1")


@pytest.mark.parametrize("to", ["hf", "hf-linear", "v2", "mmaction2"])
def test_every_format_goes_to_native_and_back(tmp_path: Path, to: str) -> None:
    config = CLASSIFIER.model_copy(update={"license": "CC0-1.0", "derived_from": ("a", "b")})
    source = written(tmp_path / "first", config)
    out = tmp_path / ("copy.pth" if to == "mmaction2" else "copy")

    convert.run(source, out, Notes(), to=to)
    convert.run(out, tmp_path / "second", Notes())

    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "second" / name).read_bytes() == (source / name).read_bytes()


def test_a_folder_is_replaced_only_with_force_and_only_if_videomae_wrote_it(
    tmp_path: Path,
) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    convert.run(source, tmp_path / "hf", Notes(), to="hf")

    with pytest.raises(CheckpointError, match="exists"):
        convert.run(source, tmp_path / "hf", Notes(), to="hf")
    convert.run(source, tmp_path / "hf", Notes(), to="hf", force=True)
    (tmp_path / "hf" / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="other files"):
        convert.run(source, tmp_path / "hf", Notes(), to="hf", force=True)


def test_rows_of_a_head_are_selected_in_the_order_of_a_list(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    (tmp_path / "rows.json").write_text("[2, 0]")
    selection = Selection(head_rows=tmp_path / "rows.json")

    convert.run(source, tmp_path / "two", Notes(), selection=selection)

    before, after = read_checkpoint(source), read_checkpoint(tmp_path / "two")
    assert after.config.classes == ("up", "left")
    for name in ("head.weight", "head.bias"):
        assert torch.equal(after.weights[name], before.weights[name][[2, 0]])


def test_every_invalid_list_of_rows_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    selection = Selection(head_rows=tmp_path / "rows.json")

    for text in ["[0, 3]", "[0, 0]", "[]", "{}", '["a"]', "[0", "[-1]"]:
        (tmp_path / "rows.json").write_text(text)
        with pytest.raises(UsageError, match="--head-rows"):
            convert.run(source, None, Notes(), selection=selection)
            pytest.fail(f"accepted: {text}")


def test_unnamed_classes_are_renumbered_when_rows_are_selected(tmp_path: Path) -> None:
    config = CLASSIFIER.model_copy(update={"classes": ("0", "1", "2")})
    source = written(tmp_path / "first", config)
    (tmp_path / "rows.json").write_text("[2, 1]")

    selection = Selection(head_rows=tmp_path / "rows.json")
    result = convert.run(source, None, Notes(), selection=selection)

    assert result.loaded.config.classes == ("0", "1")


def test_settings_that_another_format_cannot_store_are_a_warning(tmp_path: Path) -> None:
    select = SelectSpec(strategy="motion", pool=0.6)
    source = written(tmp_path / "first", CLASSIFIER.model_copy(update={"select": select}))
    notes = Notes()

    convert.run(source, tmp_path / "hf", notes, to="hf")

    assert any("selects tokens by motion" in line for line in notes.warned)


def test_a_model_that_a_format_does_not_support_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "first", AUTOENCODER)
    joint = written(tmp_path / "joint", AUTOENCODER.model_copy(update={"normalize": "joint"}))
    first = written(tmp_path / "half", AUTOENCODER.model_copy(update={"target_frames": "first"}))

    for format_name in ("hf", "v1"):
        with pytest.raises(CheckpointError, match="does not support an autoencoder"):
            convert.run(first, tmp_path / "out", Notes(), to=format_name)
    for format_name in ("mmaction2", "v2", "mae-st"):
        with pytest.raises(CheckpointError, match="does not support an autoencoder"):
            convert.run(source, tmp_path / "out", Notes(), to=format_name)
    with pytest.raises(CheckpointError, match="joint"):
        convert.run(joint, tmp_path / "out", Notes(), to="hf")
    assert not (tmp_path / "out").exists()


def test_a_v2_folder_gives_heads_and_clip_and_its_code_is_not_run(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "first", CLASSIFIER))
    save_as_format(tmp_path / "v2", loaded.weights, CLASSIFIER, "v2")
    tensors = load_file(tmp_path / "v2" / "model.safetensors")
    (tmp_path / "v2" / "modeling_config.py").write_text("raise SystemExit('was run')")

    for prefix in ("model.", ""):
        named = {prefix + name.removeprefix("model."): t for name, t in tensors.items()}
        save_file(named, tmp_path / "v2" / "model.safetensors")
        found = read_checkpoint(tmp_path / "v2")
        assert found.format == "v2" and found.config.grid == CLASSIFIER.grid
        assert found.config.encoder == CLASSIFIER.encoder


def test_the_command_inspects_and_requires_a_destination(tmp_path: Path) -> None:
    source = written(tmp_path / "first", CLASSIFIER)
    runner = CliRunner()

    seen = runner.invoke(app, ["convert", str(source), "--inspect", "--json"])
    lost = runner.invoke(app, ["convert", str(source)])

    assert seen.exit_code == 0 and '"source_format": "native"' in seen.stdout
    assert isinstance(lost.exception, UsageError) and "DST" in lost.exception.message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first"]

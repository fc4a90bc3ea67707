"""Values that are not finite are named by every command that reads weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.finite import describe_nonfinite, require_finite
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli import app
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.models.build import BUILDERS, build_classifier
from videomae_cli.tasks.convert import convert, export, inspect_file
from videomae_cli.tasks.load_model import (
    init_from_pretrained,
    load_autoencoder,
    load_classifier,
    read_checkpoint,
)

SENTENCE = "1 of 32 tensors holds values that are not finite: head.bias (3 of 3)"


def spoiled(
    folder: Path, name: str, value: float = float("nan"), config: ModelConfig = CLASSIFIER
) -> Path:
    """Write a model, all values of one tensor replaced."""
    torch.manual_seed(0)
    weights = BUILDERS[config.kind](config).state_dict()
    weights[name] = torch.full_like(weights[name], value)
    write_native(folder, weights, config)
    return folder


def test_tensors_and_values_are_counted_whatever_their_type() -> None:
    weights = {
        "half": torch.tensor([1.0, float("inf")], dtype=torch.float16),
        "eight": torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn),
        "complex": torch.tensor([complex(0, float("-inf"))]),
        "largest": torch.full((2, 2), torch.finfo(torch.float32).max),
        "largest half": torch.full((3,), torch.finfo(torch.float16).max, dtype=torch.float16),
        "opposite": torch.tensor([float("inf"), float("-inf"), 1.0]),
        "whole": torch.arange(3),
        "empty": torch.zeros(0),
        "elsewhere": torch.empty(4, device="meta"),
    }

    sentence = describe_nonfinite(weights, {"half": "their name"})

    assert sentence == (
        "4 of 9 tensors hold values that are not finite:"
        " complex (1 of 1), eight (1 of 2), their name (1 of 2), opposite (2 of 3)"
    )
    assert describe_nonfinite({name: weights[name] for name in ("largest", "largest half")}) == ""


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_complex_numbers_of_half_precision_are_looked_at_too() -> None:
    half = torch.tensor([complex(1, 2), complex(3, float("nan"))]).to(torch.complex32)

    assert describe_nonfinite({"w": half[:1]}) == ""
    assert "w (1 of 1)" in describe_nonfinite({"w": half[1:]})


def test_only_the_first_tensors_are_named() -> None:
    weights = {f"{k:02}": torch.tensor([float("nan")]) for k in range(20)}

    with pytest.raises(CheckpointError, match=r"20 of 20 .* 07 \(1 of 1\), 12 more$") as caught:
        require_finite(weights, Path("model.pth"))

    assert "earlier checkpoint" in caught.value.hint


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("to", ["native", "v1", "hf", "hf-linear", "v2", "mmaction2"])
def test_a_faithful_copy_is_written_with_a_warning(tmp_path: Path, to: str, value: float) -> None:
    source = spoiled(tmp_path / "first", "head.bias", value)
    out = tmp_path / ("copy.pth" if to in ("v1", "mmaction2") else "copy")
    notes = Notes()

    convert.run(source, out, notes, to=to)
    convert.run(out, tmp_path / "second", Notes())

    assert SENTENCE in notes.warned
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "second" / name).read_bytes() == (source / name).read_bytes()


def test_the_name_is_the_one_in_the_file(tmp_path: Path) -> None:
    convert.run(written(tmp_path / "first", CLASSIFIER), tmp_path / "hf", Notes(), to="hf")
    file = tmp_path / "hf" / "model.safetensors"
    tensors = load_file(file)
    tensors["classifier.bias"][1] = float("nan")
    save_file(tensors, file)
    notes = Notes()

    inspection = inspect_file.run(tmp_path / "hf", notes)

    sentence = "tensors holds values that are not finite: classifier.bias (1 of 3)"
    assert any(sentence in line for line in notes.warned)
    assert any(sentence in line for line in inspection.as_json()["report"]["traps"])
    with pytest.raises(CheckpointError, match=r"classifier\.bias \(1 of 3\)"):
        load_classifier(read_checkpoint(tmp_path / "hf"))


@pytest.mark.parametrize(("to", "name"), [("onnx", "out.onnx"), ("torch-export", "out.pt2")])
def test_an_exported_model_is_refused_and_nothing_is_left(
    tmp_path: Path, to: str, name: str
) -> None:
    pytest.importorskip("onnxscript")
    source = spoiled(tmp_path / "first", "head.bias")

    with pytest.raises(CheckpointError, match=r"head\.bias \(3 of 3\)"):
        export.run(source, tmp_path / name, Notes(), request=export.ExportRequest(to))

    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("to", ["native", "v1", "hf"])
def test_an_output_that_does_not_read_back_is_removed(tmp_path: Path, to: str) -> None:
    loaded = read_checkpoint(written(tmp_path / "first", CLASSIFIER))
    double = {**loaded.weights, "head.bias": loaded.weights["head.bias"].double()}

    with pytest.raises(CheckpointError, match=r"did not read back as written \(head\.bias\)"):
        convert._write(tmp_path / "copy", to, loaded._replace(weights=double), force=False)

    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_fine_tuning_refuses_what_it_would_use_and_warns_of_the_rest(tmp_path: Path) -> None:
    used = spoiled(tmp_path / "used", "encoder.blocks.1.norm2.weight", config=AUTOENCODER)
    unused = spoiled(tmp_path / "unused", "decoder.head.bias", config=AUTOENCODER)

    with pytest.raises(CheckpointError, match=r"encoder\.blocks\.1\.norm2\.weight \(24 of 24\)"):
        init_from_pretrained(read_checkpoint(used), build_classifier(CLASSIFIER), CLASSIFIER)
    _, report = init_from_pretrained(
        read_checkpoint(unused), build_classifier(CLASSIFIER), CLASSIFIER
    )

    assert any("decoder.head.bias" in defect for defect in report.defects)
    with pytest.raises(CheckpointError, match=r"decoder\.head\.bias"):
        load_autoencoder(read_checkpoint(unused))


def test_evaluation_refuses_before_it_looks_for_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = spoiled(tmp_path / "first", "head.bias")

    assert app.run(["eval", "--checkpoint", str(source), "--data", str(tmp_path / "nowhere")]) == 4

    assert SENTENCE in capsys.readouterr().err


def test_the_command_warns_and_its_json_names_the_tensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = spoiled(tmp_path / "first", "head.bias")

    assert app.run(["convert", str(source), str(tmp_path / "copy"), "--json"]) == 0

    printed = capsys.readouterr()
    assert SENTENCE in json.loads(printed.out)["report"]["traps"]
    assert SENTENCE in printed.err.replace("\n", " ")

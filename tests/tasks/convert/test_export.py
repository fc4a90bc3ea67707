"""A program gives what the model gives, for any batch, and says how clips are made for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli.app import app
from videomae_cli.cli.app import run as command
from videomae_cli.config.model import SelectSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.sizes import SIZES
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import build_backbone
from videomae_cli.tasks.convert import export
from videomae_cli.tasks.convert import export_formats as programs
from videomae_cli.tasks.convert.export_formats import PROGRAMS
from videomae_cli.tasks.load_model import (
    load_autoencoder,
    load_classifier,
    load_weights,
    read_checkpoint,
)

SELECT = SelectSpec(strategy="motion", pool=0.5)
MOVING = CLASSIFIER.model_copy(update={"select": SELECT})
CHOOSING = MOVING.model_copy(update={"oversample": 2.0})
ENCODER = CLASSIFIER.model_copy(update={"kind": "encoder", "classes": None, "norm_of": "tokens"})
FIRST = CLASSIFIER.model_copy(update={"pooling": "first"})
LEARNED = CLASSIFIER.encoder.model_copy(update={"positions": "separable", "class_token": True})
CARDS = {
    "classifier": CLASSIFIER,
    "first": FIRST,
    "mae-st": CLASSIFIER.model_copy(update={"encoder": LEARNED}),
    "moving": MOVING,
    "choosing": CHOOSING,
    "autoencoder": AUTOENCODER,
    "encoder": ENCODER,
    "pooled": ENCODER.model_copy(update={"norm_of": "mean"}),
}


def clips(batch: int, config: ModelConfig) -> Tensor:
    grid, frames = config.grid, round(config.grid.frames * config.oversample)
    return torch.randint(0, 256, (batch, 3, frames, grid.height, grid.width), dtype=torch.uint8)


def model(folder: Path, config: ModelConfig) -> Path:
    """Write a model whose head is as large as a trained one's: a fresh one's logits are all 0."""
    loaded = read_checkpoint(written(folder, config))
    if config.kind == "classifier":
        loaded.weights["head.weight"].mul_(1000)
    write_native(folder, loaded.weights, config)
    return folder


def exported(
    source: Path, to: str, out: Path, *, features: bool = False, **options: Any
) -> export.Exported:
    for package in PROGRAMS[to].packages:
        pytest.importorskip(package, reason=f"{package} is away: pip install 'videomae[onnx]'")
    return export.run(source, out, Notes(), wanted=export.Wanted(to, features), **options)


def expected(source: Path, clip_BCTHW: Tensor, *, features: bool) -> Tensor:
    loaded = read_checkpoint(source)
    with torch.no_grad():
        if loaded.config.kind == "encoder":
            alone = build_backbone(loaded.config)
            load_weights(alone, loaded.weights)
            latents_BND: Tensor = alone.encoder(clip_BCTHW)
            is_pooled = loaded.config.norm_of == "mean"
            return alone.fc_norm(latents_BND.mean(dim=1)) if is_pooled else latents_BND
        if loaded.config.kind == "autoencoder":
            latents: Tensor = load_autoencoder(loaded).encoder(clip_BCTHW)
            return latents
        classifier = load_classifier(loaded).eval()
        logits: Tensor = (classifier.features if features else classifier)(clip_BCTHW)
        return logits


@pytest.mark.parametrize(
    "to", [to if to == "onnx" else pytest.param(to, marks=pytest.mark.slow) for to in PROGRAMS]
)
@pytest.mark.parametrize(
    ("name", "features"),
    [*((name, False) for name in CARDS), ("classifier", True), ("moving", True)],
)
def test_a_program_gives_what_the_model_gives_for_any_batch(
    tmp_path: Path, to: str, name: str, features: bool
) -> None:
    source = model(tmp_path / "model", CARDS[name])
    out = tmp_path / f"program{PROGRAMS[to].suffix}"

    about = exported(source, to, out, features=features).about

    running = PROGRAMS[to].open(out)
    torch.manual_seed(1)
    for batch in (1, 5):
        clip_BCTHW = clips(batch, CARDS[name])
        found, wanted = running(clip_BCTHW), expected(source, clip_BCTHW, features=features)
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        assert list(clip_BCTHW.shape[1:]) == about["input"]["shape"][1:]
    assert about["parity"]["largest_difference"] < 1e-5


def test_the_json_beside_it_states_the_preprocessing_and_the_licence(tmp_path: Path) -> None:
    known = {"license": "CC0-1.0", "derived_from": ("first.pth",), "stride_frames": 3}
    source = model(tmp_path / "model", CLASSIFIER.model_copy(update=known))

    exported(source, "torch-export", tmp_path / "a.pt2")

    about = json.loads((tmp_path / "a.pt2.json").read_text())
    made = about["preprocessing"]
    assert about["input"] == {
        "name": "clip",
        "dtype": "uint8",
        "layout": "batch, colour (R, G, B), frame, row, column",
        "shape": ["batch", 3, 4, 32, 32],
    }
    assert about["output"]["name"] == "logits" and about["classes"] == ["left", "right", "up"]
    assert (made["frames"], made["stride_frames"], made["height"], made["width"]) == (4, 3, 32, 32)
    assert "shorter side has 32 pixels" in made["resize_rule"]
    assert made["crop_rule"].startswith("32 x 32 pixels from round((longer side - 32) / 2)")
    assert made["normalise"]["inside"] and made["normalise"]["mean"] == [0.485, 0.456, 0.406]
    assert about["license"] == "CC0-1.0"
    assert about["derived_from"] == ["first.pth", "model/model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt2", "a.pt2.json", "model"]


def test_nothing_is_left_of_a_program_that_gives_other_numbers(tmp_path: Path) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    loaded = read_checkpoint(source)
    loaded.weights["head.bias"][0] = float("nan")
    write_native(tmp_path / "broken", loaded.weights, loaded.config)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(CheckpointError, match="differ from the model's by nan"):
        exported(tmp_path / "broken", "torch-export", tmp_path / "a.pt2")

    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_there_is_spared_and_suffixes_must_agree(tmp_path: Path) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    (tmp_path / "a.pt2.json").write_text("mine")

    with pytest.raises(CheckpointError, match=r"a\.pt2\.json exists") as caught:
        exported(source, "torch-export", tmp_path / "a.pt2")
    with pytest.raises(UsageError, match=r"files end in \.pt2"):
        exported(source, "torch-export", tmp_path / "a.onnx")

    assert "--force" in caught.value.hint and (tmp_path / "a.pt2.json").read_text() == "mine"
    exported(source, "torch-export", tmp_path / "a.pt2", force=True)
    assert json.loads((tmp_path / "a.pt2.json").read_text())["program"] == "torch-export"


def test_a_missing_package_is_named_before_anything_is_read(tmp_path: Path) -> None:
    absent = PROGRAMS["onnx"]._replace(packages=("onnx_of_another_world",))

    with pytest.raises(UsageError, match="onnx_of_another_world") as caught:
        programs.require(absent)

    assert "videomae[onnx]" in caught.value.hint


def test_large_models_keep_their_numbers_in_a_second_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    monkeypatch.setattr(programs, "MOST_PROTOBUF_BYTES", 1_000)

    about = exported(source, "onnx", tmp_path / "a.onnx").about

    assert about["files"] == ["a.onnx", "a.onnx.data"]
    clip_BCTHW = clips(2, CLASSIFIER)
    found = PROGRAMS["onnx"].open(tmp_path / "a.onnx")(clip_BCTHW)
    torch.testing.assert_close(found, expected(source, clip_BCTHW, features=False))


def test_the_command_takes_the_kind_from_the_suffix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(model(tmp_path / "model", CLASSIFIER))

    assert command(["convert", source, str(tmp_path / "a.pt2"), "--features", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"]["name"] == "features"
    with pytest.raises(UsageError, match="--features belongs to"):
        app(["convert", source, str(tmp_path / "native"), "--features"], standalone_mode=False)


@pytest.mark.slow
@pytest.mark.parametrize("features", [False, True])
def test_a_small_vit_on_whole_clips_agrees_in_onnx(tmp_path: Path, features: bool) -> None:
    grid = TokenGrid(frames=16, height=224, width=224, tubelet=2, patch=16, channels=3)
    config = CLASSIFIER.model_copy(update={"encoder": SIZES["vits"], "grid": grid})
    source = model(tmp_path / "model", config)

    exported(source, "onnx", tmp_path / "a.onnx", features=features)

    running = PROGRAMS["onnx"].open(tmp_path / "a.onnx")
    for batch in (1, 2):
        clip_BCTHW = clips(batch, config)
        wanted = expected(source, clip_BCTHW, features=features)
        torch.testing.assert_close(running(clip_BCTHW), wanted, atol=1e-4, rtol=0)

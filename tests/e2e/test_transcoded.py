"""Training and testing from the forms of `prepare`, from the command line."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.data.make_clips import moving_square, write_clip
from videomae_cli.cli import app
from videomae_cli.data.transcoding.forms import FORMS
from videomae_cli.engine.logging.metrics import read_metrics

FLAGS = {"h264": "--transcode", "all-intra": "--all-intra", "jpeg": "--jpeg", "uint8": "--uint8"}
DEFAULT = {"h264", "jpeg"}  # a video and an array; all forms are read in tests/data/transcoding


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two class folders of lossless files, whose pixels --uint8 keeps."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(8):
        frames = moving_square(10 + number % 3, 40, 56, seed=number)
        path = folder / ("slow", "fast")[number % 2] / f"{number}.mkv"
        write_clip(path, frames, codec="ffv1")
    return folder


def prepare(source: Path, out: Path, *flags: str) -> Path:
    words = ["prepare", str(source), "--out", str(out), "--workers", "1", *flags]
    assert app.run([*words, "--decoder", "pyav"]) == 0
    return out


def train(kind: str, recipe: Path, data: Path, run: Path, *more: str) -> list[float]:
    words = [kind, "--recipe", str(recipe), "--data", str(data), "--out", str(run), *more]
    for override in ("steps=2", "warmup_steps=1"):
        words += ["--set", f"schedule.{override}"]
    for override in ("log_every_steps=1", "workers=0"):
        words += ["--set", f"train.{override}"]
    assert app.run(words) == 0
    lines = read_metrics(run / "metrics.jsonl")
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize(
    "form", [f if f in DEFAULT else pytest.param(f, marks=pytest.mark.slow) for f in FORMS]
)
def test_the_whole_walk_from_each_form(
    form: str, source: Path, recipes: Path, tmp_path: Path
) -> None:
    data = prepare(source, tmp_path / "data", FLAGS[form])
    run, tuned, out = tmp_path / "run", tmp_path / "tuned", tmp_path / "eval"

    losses = train("pretrain", recipes / "micro.yaml", data, run)
    train("finetune", recipes / "micro-finetune.yaml", data, tuned, "--checkpoint", str(run))
    words = ["eval", "--checkpoint", str(tuned), "--data", str(data), "--out", str(out)]
    assert app.run(words) == 0

    assert len(losses) == 2 and all(map(math.isfinite, losses))
    assert json.loads((out / "result.json").read_text())["top1"] is not None
    assert np.isfinite(np.load(out / "scores.npz")["probability"]).all()


def test_uncompressed_frames_train_exactly_like_the_files(
    source: Path, recipes: Path, tmp_path: Path
) -> None:
    losses, weights = [], []
    for name, flags in (("files", ()), ("uint8", ("--uint8",))):
        data, run = prepare(source, tmp_path / name, *flags), tmp_path / f"run {name}"
        losses.append(train("pretrain", recipes / "micro.yaml", data, run))
        weights.append(load_file(run / "final/model.safetensors"))

    assert losses[0] == losses[1]
    assert all(weights[0][key].equal(weights[1][key]) for key in weights[0])

"""Folders of frames train like video files with the same pixels."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file

from tests.data.make_clips import moving_square, write_clip
from tests.data.make_frames import write_frame_folder
from videomae_cli.cli import app
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Video, write_manifest
from videomae_cli.engine.logging.metrics import read_metrics

PATTERNS = ("img_{:05d}.png", "{}.bmp", "frame{:04d}.PNG")


def write_folder(path: Path, frames: NDArray[np.uint8], number: int) -> Path:
    pattern = PATTERNS[number % len(PATTERNS)]
    return write_frame_folder(path, frames, pattern=pattern, first=number % 2)


def write_lossless(path: Path, frames: NDArray[np.uint8], number: int) -> Path:
    return write_clip(path, frames, codec="ffv1")


def make_data(
    out: Path, suffix: str, decoder: str, write: Callable[[Path, NDArray[np.uint8], int], Path]
) -> Path:
    """Return a prepared data set of 6 videos, 2 of them for validation, in two classes."""
    videos = []
    for number in range(6):
        frames = moving_square(10 + number, 40, 56, seed=number)
        name = f"{number}{suffix}"
        path = write(out / "videos" / name, frames, number)
        assert np.array_equal(read_frames(path, range(len(frames)), decoder=decoder), frames)
        split = "train" if number < 4 else "val"
        videos.append(Video(name, number % 2, split, len(frames), 0.0, 56, 40, decoder))
    write_manifest(
        out / "data", root=out / "videos", videos=videos, classes=("slow", "fast"), facts={}
    )
    return out / "data"


@pytest.mark.parametrize("workers", [0, 1])
def test_two_steps_on_folders_and_on_lossless_files_are_equal(
    workers: int, recipes: Path, tmp_path: Path
) -> None:
    sources = {
        "folders": make_data(tmp_path / "folders", "", "frames", write_folder),
        "files": make_data(tmp_path / "files", ".mkv", "pyav", write_lossless),
    }
    losses, weights = {}, {}
    for name, data in sources.items():
        run = tmp_path / f"run {name}"
        words = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(data)]
        for override in ("schedule.steps=2", "train.log_every_steps=1", f"train.workers={workers}"):
            words += ["--set", override]
        assert app.run([*words, "--out", str(run)]) == 0
        losses[name] = [line["loss"] for line in read_metrics(run / "metrics.jsonl")]
        weights[name] = load_file(run / "final/model.safetensors")

    assert losses["folders"] == losses["files"] and len(losses["files"]) == 2
    assert weights["folders"].keys() == weights["files"].keys()
    assert all(weights["folders"][key].equal(weights["files"][key]) for key in weights["files"])


def test_folders_are_evaluated_like_files(recipes: Path, tmp_path: Path) -> None:
    folders = make_data(tmp_path / "folders", "", "frames", write_folder)
    files = make_data(tmp_path / "files", ".mkv", "pyav", write_lossless)
    run = tmp_path / "run"
    words = ["finetune", "--recipe", str(recipes / "micro-finetune.yaml"), "--data", str(folders)]
    for override in ("schedule.steps=2", "train.workers=0", "schedule.warmup_steps=1"):
        words += ["--set", override]
    assert app.run([*words, "--out", str(run), "--checkpoint", "scratch"]) == 0

    probabilities = []
    for data in (folders, files):
        out = tmp_path / f"eval {data.parent.name}"
        words = [
            "eval",
            "--checkpoint",
            str(run),
            "--data",
            str(data),
            "--clips",
            "2",
            "--crops",
            "3",
        ]
        assert app.run([*words, "--out", str(out)]) == 0
        probabilities.append(np.load(out / "scores.npz")["probability"])
        assert json.loads((out / "result.json").read_text())["top1"] is not None

    assert np.array_equal(*probabilities)

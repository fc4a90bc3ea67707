"""Three bad files among 30 good ones: prepare rejects them; training and eval name them and end."""

import csv
import os
import sys
from pathlib import Path

import pytest

from tests.data.decoding.odd_clips import write_size_change
from tests.data.make_clips import write_clip
from tests.e2e.warm import Warm
from videomae_cli.cli import app
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.errors import DataError

NOT_UTF8 = os.fsdecode(b"caf\xe9 clip.mkv")
CUT, CHANGED = "cut clip.mkv", "changed clip.mkv"
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="file names of other systems are text"
)


def make_videos(folder: Path) -> Path:
    """Write 33 good clips in two classes; 48 pixels wide, which decord cannot read."""
    for number in range(30):
        write_clip(
            folder / ("slow", "fast")[number % 2] / f"clip {number}.mkv",
            10 + number % 3,
            height=40,
            width=48,
            seed=number,
        )
    for name in (NOT_UTF8, CUT, CHANGED):
        write_clip(folder / "slow" / name, 12, height=40, width=48)
    return folder


def spoil(folder: Path) -> None:
    """Replace three of the clips by bad files of the same names."""
    for name in (NOT_UTF8, CUT):
        path = folder / "slow" / name
        path.write_bytes(path.read_bytes()[:600])
    write_size_change(folder / "slow" / CHANGED, 6, ((40, 48), (48, 40)))


def check_named(text: str) -> None:
    for words in (
        "caf",
        f"{CUT}: ",
        f"{CHANGED}: the frame size changes at frame 6: 48 x 40, then 40 x 48 pixels",
    ):
        assert words in text


def test_prepare_rejects_them_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, out = make_videos(tmp_path / "videos"), tmp_path / "data"
    spoil(videos)

    assert app.run(["prepare", str(videos), "--out", str(out), "--workers", "1"]) == 0

    with (out / "rejected.csv").open(errors="surrogateescape", newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons.keys() == {f"slow/{name}" for name in (NOT_UTF8, CUT, CHANGED)}
    assert "scale=48:40" in reasons[f"slow/{CHANGED}"]
    assert len(read_manifest(out).videos) == 30
    assert "3 videos rejected" in " ".join(capsys.readouterr().err.split())


def test_training_and_evaluation_meet_them_name_them_and_end(
    recipes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    warm: Warm,
) -> None:
    monkeypatch.chdir(tmp_path)
    videos = make_videos(tmp_path / "videos")
    prepare = ["prepare", str(videos), "--out", "data", "--workers", "1", "--val-fraction", "0"]
    assert app.run(prepare) == 0
    assert len(read_manifest(tmp_path / "data").split("train")) == 33
    spoil(videos)

    # a process of its own: pytest-xdist cannot pass on a captured name that is not UTF-8
    pretrain: list[str | Path] = ["pretrain", "--recipe", recipes / "micro.yaml"]
    pretrain += ["--data", tmp_path / "data", "--out", tmp_path / "run"]
    codes = warm.run(pretrain)
    printed = warm.output.read_bytes().decode(errors="backslashreplace")
    assert codes == [0], printed

    assert read_metrics(tmp_path / "run/metrics.jsonl")[-1]["step"] == 12
    check_named(printed)

    manifest = read_manifest(tmp_path / "data")
    clip = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
    views = EvalViews(manifest.videos, manifest.root, clip, Protocol(2, 1))
    errors = [item.error for item in (views[number] for number in range(33)) if item.error]
    assert len(errors) == 3
    check_named("\n".join(errors))

    changed = videos / "slow" / CHANGED
    assert app.run(["visualize-mask", str(changed), "--out", "pictures"]) == DataError.exit_code
    assert "the frame size changes at frame 6" in " ".join(capfd.readouterr().err.split())

"""What a viewer would notice, and why files are read with PyAV, is said in the summary."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.data.ingest.probe import LATE_NOTE
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.tasks.prepare.health.finding import Health
from videomae_cli.tasks.prepare.summary import PrepareSummary, show_summary


def prepare(folder: Path, *options: str) -> int:
    return app.run(["prepare", str(folder / "videos"), "--out", str(folder / "out"), *options])


def make_videos(folder: Path) -> None:
    for number in range(3):
        write_clip(folder / f"videos/plain {number}.mp4", 6)
    for number in range(2):
        write_video(
            folder / f"videos/phone {number}.mp4",
            moving_square(6, 64, 64),
            codec="libx264",
            pixels="yuv420p",
            color_trc=18,
        )


def test_the_summary_counts_each_note_and_says_what_it_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_videos(tmp_path)

    assert prepare(tmp_path) == 0

    text = " ".join(capsys.readouterr().out.split())
    assert "2 of 5 videos are HDR (HLG): decoded as they are, paler than the rest" in text
    assert "decoders: pyav 5; PyAV for videos that" in text

    assert prepare(tmp_path, "--json") == 0  # from the results of the first run
    assert json.loads(capsys.readouterr().out)["notes"] == {"HDR (HLG)": 2}


def test_the_reason_for_pyav_is_given_also_when_it_reads_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "videos/narrow.mp4", 5, height=32, width=48)

    assert prepare(tmp_path) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "decoders: pyav 1; PyAV for videos that decord cannot read or reads differently" in text

    assert prepare(tmp_path, "--decoder", "pyav") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "decoders: pyav 1 " in text  # as asked: no reason to give


def test_no_reason_is_given_where_decord_reads_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "videos/a.mp4", 5, codec="mpeg4")

    assert prepare(tmp_path) == 0
    assert "decoders: decord 1 " in " ".join(capsys.readouterr().out.split())


def test_files_that_ran_into_the_time_limit_are_counted(tmp_path: Path) -> None:
    video = Video("a.ts", None, "train", 9, 25.0, 8, 8, "pyav")
    manifest = Manifest(tmp_path, (video,) * 3, None, "")
    rejected = Counter({"takes longer than 60 s (--timeout)": 4, "is empty": 1})
    notes = Notes()

    health = Health("list", tmp_path, (), {})
    show_summary(
        PrepareSummary(tmp_path, "list", manifest, rejected, (), Counter({LATE_NOTE: 2}), health),
        notes,
    )

    assert (
        "6 files ran into the time limit (--timeout): 4 rejected, 2 kept and read with PyAV, "
        "because only decord did not end"
    ) in notes.warned
    assert not notes.has(LATE_NOTE)

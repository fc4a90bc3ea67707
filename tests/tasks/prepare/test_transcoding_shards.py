"""Jobs that share the writing of videos leave together what one run leaves."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notes import Notes
from tests.tasks.prepare.test_prepare import QUICK, listed, prepared
from tests.tasks.prepare.test_transcoding import Usage, moments
from videomae_cli.cli import app
from videomae_cli.data.executors.share import Share
from videomae_cli.data.transcoding.forms import FORMS
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare import shard


def contents(out: Path) -> dict[str, bytes]:
    """Return all files below a directory, except what was noted of the sources."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in files
        if not path.name.startswith("probe-cache")
    }


def run_shard(
    source: Path, out: Path, share: Share, notes: Notes | None = None, **changes: object
) -> shard.ShardSummary:
    options = QUICK._replace(share=share, **changes)  # type: ignore[arg-type]
    return shard.run(source, out, notes or Notes(), options)


@pytest.mark.parametrize("form", FORMS)
def test_two_shards_and_the_command_without_leave_the_files_of_one_run(
    form: str, folders: Path, tmp_path: Path
) -> None:
    (folders / "run" / "broken.mp4").write_bytes(b"no video")
    out, whole, notes = tmp_path / "out", tmp_path / "whole", Notes()
    prepared(folders, out, form=form)
    out.rename(whole)  # the same --out, which some files name

    first = run_shard(folders, out, Share(1, 2), form=form)
    assert sorted(path.name for path in out.iterdir()) == [
        "probe-cache-1-of-2.jsonl",
        "transcoded-1-of-2.jsonl",
        "videos",
    ]
    second = run_shard(folders, out, Share(0, 2), form=form)
    written = moments(out)
    prepared(folders, out, notes, form=form)

    assert (first.finished, second.finished) == (1, 2)
    assert first.videos + second.videos == 6
    assert notes.has("6 of 6 videos are written already and unchanged")
    assert not any("not finished" in line for line in notes.warned)
    assert moments(out) == written
    assert contents(out) == contents(whole)


def test_shards_that_run_at_the_same_time_write_different_files(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    words = ["prepare", str(folders), "--out", str(out), "--jpeg", "--workers", "1"]
    assert app.run(words) == 0
    out.rename(whole)

    jobs = [
        subprocess.Popen([sys.executable, "-m", "videomae_cli", *words, "--shard", f"{number}/3"])
        for number in range(3)
    ]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    capfd.readouterr()
    assert app.run(words) == 0

    assert "6 of 6 videos are written already and unchanged" in capfd.readouterr().out
    assert contents(out) == contents(whole)


def test_a_shard_that_stopped_is_taken_up_and_a_missing_one_is_named_and_done(
    folders: Path, tmp_path: Path
) -> None:
    out, again, merged = tmp_path / "out", Notes(), Notes()
    run_shard(folders, out, Share(0, 2), form="jpeg")
    record = out / "transcoded-0-of-2.jsonl"
    lines = record.read_text().splitlines()
    record.write_text("\n".join(lines[:2])[:-9])  # cut off in the second line
    before = moments(out)

    summary = run_shard(folders, out, Share(0, 2), again, form="jpeg")
    after = moments(out)
    prepared(folders, out, merged, form="jpeg")

    assert again.has("1 of 3 videos are written already") and summary.finished == 1
    assert sum(after[name] == before[name] for name in before) == 1
    assert any("not finished: shard 1/2; this run writes the 3 videos" in w for w in merged.warned)
    assert len(moments(out)) == 6
    assert [path.name for path in out.glob("transcoded*")] == ["transcoded.jsonl"]


def test_another_form_of_a_job_that_has_finished_is_not_finished(
    folders: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_shard(folders, out, Share(0, 2), form="jpeg")

    assert run_shard(folders, out, Share(1, 2), form="uint8").finished == 1
    assert run_shard(folders, out, Share(1, 2), form="jpeg").finished == 2


def test_another_number_of_jobs_loses_nothing(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    run_shard(folders, out, Share(0, 2), form="h264")
    before = moments(out)

    for number in range(3):
        run_shard(folders, out, Share(number, 3), form="h264")
    prepared(folders, out, notes, form="h264")

    assert notes.has("6 of 6 videos are written already")
    assert before.items() <= moments(out).items()


def test_all_segments_of_a_file_are_written_once_by_one_job(folders: Path, tmp_path: Path) -> None:
    paths = sorted(path.relative_to(folders).as_posix() for path in folders.rglob("*.mp4"))
    rows = [f"{path},{start},{start + 2},0" for path in paths for start in (0, 2, 4, 90)]
    source = listed(
        tmp_path / "all.csv", "\n".join(["path,start_frame,end_frame,label", *rows, ""])
    )
    out, whole, options = tmp_path / "out", tmp_path / "whole", {"form": "uint8", "root": folders}
    prepared(source, out, **options)
    out.rename(whole)

    parts = [run_shard(source, out, Share(number, 2), **options) for number in range(2)]
    lines = [path.read_text().count('"output"') for path in out.glob("transcoded-*.jsonl")]
    prepared(source, out, **options)

    assert [(part.videos, part.rejected.total()) for part in parts] == [(9, 3), (9, 3)]
    assert lines == [3, 3]
    assert contents(out) == contents(whole)


def test_what_one_shard_costs_and_all_of_them_is_said_before(folders: Path, tmp_path: Path) -> None:
    out, first, second = tmp_path / "out", Notes(), Notes()

    run_shard(folders, out, Share(0, 2), first, form="uint8")
    run_shard(folders, out, Share(1, 2), second, form="uint8")

    title = "transcoding 3 videos: uncompressed frames, short side at most 256 pixels"
    for number, notes in enumerate((first, second)):
        assert notes.has(f"shard {number}/2: {title}")
        # 6 frames of 46 x 32 pixels, and 128 bytes of a header
        assert notes.has("it will take about 79.9 kB of disk, all 2 shards 160 kB (the files")
        assert notes.has("as measured on 3 of them")


def test_a_disk_that_is_too_small_for_all_shards_is_an_error_of_each(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 100_000  # enough for one shard, not for two
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, free - 79_872))

    with pytest.raises(DataError, match="videos of all 2 shards need about 160 kB of disk"):
        run_shard(folders, tmp_path / "out", Share(0, 2), form="uint8")
    assert not [path for path in (tmp_path / "out/videos").rglob("*") if path.is_file()]

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 10**6))
    run_shard(folders, tmp_path / "out", Share(0, 2), form="uint8")
    # what the other job has written needs no more space
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 10_000))
    run_shard(folders, tmp_path / "out", Share(1, 2), form="uint8")


def test_too_many_rejected_videos_stop_a_shard_before_it_writes(
    folders: Path, tmp_path: Path
) -> None:
    for name in ("0", "1"):
        (folders / "run" / f"{name}.mp4").write_bytes(b"no video")

    with pytest.raises(DataError, match="1 videos of shard 0/2 are rejected, and --max-bad allows"):
        run_shard(folders, tmp_path / "out", Share(0, 2), form="jpeg", max_bad=0.1)
    with pytest.raises(DataError, match="1 of 3 videos of shard 0/2 are rejected, and --strict"):
        run_shard(folders, tmp_path / "out", Share(0, 2), form="jpeg", is_strict=True)
    assert not (tmp_path / "out/videos").exists()
    assert run_shard(folders, tmp_path / "out", Share(0, 2), form="jpeg", max_bad=0.2).videos == 2


def test_a_video_that_cannot_be_written_is_rejected_in_its_shard_and_in_the_end(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    for name in ("a/0", "a/1", "b/0", "b/1"):
        clip(tmp_path / f"source/{name}.mp4")
    out = tmp_path / "out"
    (out / "videos/a").mkdir(parents=True)
    run_shard(tmp_path / "source", out, Share(0, 2), form="jpeg")
    # the source is exchanged by one that has as many bytes and the same time, and is no video
    path = tmp_path / "source/a/1.mp4"
    run_shard(tmp_path / "source", out, Share(1, 2), form="h264")
    state = path.stat()
    path.write_bytes(b"x" * state.st_size)
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))

    part = run_shard(tmp_path / "source", out, Share(1, 2), form="jpeg")
    summary = prepared(tmp_path / "source", out, form="jpeg")

    assert [reason.startswith("cannot be transcoded: ") for reason in part.rejected] == [True]
    assert part.rejected == summary.rejected
    assert len(summary.manifest.videos) == 3


def test_the_summary_for_programs(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prepare", str(folders), "--out", str(tmp_path / "out"), "--transcode", "--json"]

    assert app.run([*words, "--shard", "0/4", "--workers", "1"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert (facts["shard"], facts["videos"], facts["finished_shards"]) == ("0/4", 2, 1)

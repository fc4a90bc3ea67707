"""Jobs that share the videos of a data set find together what one run finds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.data.executors.share import Share
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare import shard
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

WRITTEN = ("manifest.csv", "dataset.json", "classes.json", "rejected.csv")
QUICK = PrepareOptions(decoder="pyav", workers=1)


def test_two_shards_and_the_command_without_write_the_files_of_one_run(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folders / "run" / "broken.mp4").write_bytes(b"no video")
    words = ["prepare", str(folders), "--decoder", "pyav", "--workers", "1"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    assert app.run([*words, "--out", str(parts), "--shard", "1/2"]) == 0
    assert "1 of 2 are finished; when all are, write the manifest" in capfd.readouterr().out
    assert sorted(path.name for path in parts.iterdir()) == ["probe-cache-1-of-2.jsonl"]
    assert app.run([*words, "--out", str(parts), "--shard", "0/2", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert app.run([*words, "--out", str(parts)]) == 0
    assert "7 of 7 files are unchanged" in capfd.readouterr().out
    assert app.run([*words, "--out", str(whole)]) == 0

    assert (facts["shard"], facts["listed"], facts["finished_shards"]) == ("0/2", 7, 2)
    assert facts["videos"] + sum(facts["rejected"].values()) == 4
    assert facts["next"] == "the same command without --shard"
    for name in WRITTEN:
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    assert "broken.mp4" in (parts / "rejected.csv").read_text()


def test_a_shard_that_runs_again_decodes_nothing_and_a_missing_one_is_made_up_for(
    folders: Path, tmp_path: Path
) -> None:
    out, notes = tmp_path / "out", Notes()
    options = QUICK._replace(share=Share(0, 3))

    first = shard.run(folders, out, Notes(), options)
    again = shard.run(folders, out, notes, options)
    lines = (out / "probe-cache-0-of-3.jsonl").read_text().count('"probe"')
    summary = run(folders, out, Notes(), QUICK)

    assert first == again and (first.listed, first.videos, first.finished) == (6, 2, 1)
    assert notes.has("2 of 2 files are unchanged") and lines == 2
    assert len(summary.manifest.videos) == 6


def test_more_jobs_than_videos_leave_some_without_work(folders: Path, tmp_path: Path) -> None:
    found = [
        shard.run(folders, tmp_path / "out", Notes(), QUICK._replace(share=Share(number, 8)))
        for number in range(8)
    ]

    assert [one.videos for one in found] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert found[-1].finished == 8


def test_a_shard_whose_few_files_are_missing_is_no_error_but_many_are(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "a" / "there.mp4")
    names = ["there.mp4", *(f"{number}.mp4" for number in range(99))]
    list_file = tmp_path / "list.txt"
    list_file.write_text("".join(f"{name} 0\n" for name in names))
    options = QUICK._replace(root=tmp_path / "a")

    one = shard.run(list_file, tmp_path / "out", Notes(), options._replace(share=Share(1, 50)))
    assert one.rejected == {"no such file": 2}
    with pytest.raises(DataError, match="none of the 50 listed files exists"):
        shard.run(list_file, tmp_path / "out", Notes(), options._replace(share=Share(1, 2)))


def test_a_strict_shard_fails_with_the_reason(folders: Path, tmp_path: Path) -> None:
    (folders / "run" / "0.mp4").write_bytes(b"no video")
    strict = QUICK._replace(is_strict=True)

    with pytest.raises(DataError, match="1 of 3 videos of shard 0/2 are rejected"):
        shard.run(folders, tmp_path / "out", Notes(), strict._replace(share=Share(0, 2)))


def test_a_wrong_list_is_an_error_in_every_job(folders: Path, tmp_path: Path) -> None:
    list_file = tmp_path / "list.csv"
    list_file.write_text("path,label\nrun/0.mp4,run\nrun/0.mp4,run\nsit/0.mp4,sit\n")
    options = QUICK._replace(root=folders, share=Share(1, 3))

    with pytest.raises(DataError, match=r"run/0\.mp4"):
        shard.run(list_file, tmp_path / "out", Notes(), options)


def test_all_segments_of_a_file_are_the_work_of_one_job(folders: Path, tmp_path: Path) -> None:
    paths = sorted(path.relative_to(folders).as_posix() for path in folders.rglob("*.mp4"))
    lines = [f"{path},{start},{start + 2},0" for path in paths for start in (0, 2, 4)]
    source = folders / "all.csv"
    source.write_text("\n".join(["path,start_frame,end_frame,label", *lines]))

    parts = [
        shard.run(source, tmp_path / "out", Notes(), QUICK._replace(share=Share(number, 2)))
        for number in range(2)
    ]

    assert [part.videos for part in parts] == [9, 9]
    for number in range(2):
        lines = (tmp_path / f"out/probe-cache-{number}-of-2.jsonl").read_text().splitlines()
        assert sum('"probe"' in line for line in lines) == 3
    assert len(run(source, tmp_path / "out", Notes(), QUICK).manifest.videos) == 18

"""The records of several jobs are read as one, and become one."""

import json
import os
from pathlib import Path

import pytest

from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import ReadableVideo
from videomae_cli.data.transcoding.forms import Settings
from videomae_cli.data.transcoding.pool import StoredVideo, Task, copy_time
from videomae_cli.data.transcoding.record import (
    TranscodeRecord,
    find_finished,
    find_unfinished,
    sum_bytes,
)

H264, INTRA = Settings("h264", 256), Settings("all-intra", 256)
DIGESTS = {  # of one byte
    b"1": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    b"2": "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
}


def make_task(folder: Path, name: str, settings: Settings = H264) -> Task:
    source = folder / name
    source.touch()
    return Task(
        source, folder / f"out/videos/{name}.mp4", ReadableVideo(9, 25.0, 8, 8, "pyav"), settings
    )


def write(record: TranscodeRecord, task: Task, content: bytes = b"1") -> StoredVideo:
    task.output.parent.mkdir(parents=True, exist_ok=True)
    task.output.write_bytes(content)
    copy_time(task.source, task.output)
    stored = StoredVideo(8, 8, 3, len(content), DIGESTS[content])
    with record:
        record.put(task, stored)
    return stored


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_records_of_jobs_are_read_as_one_and_become_one(out: Path) -> None:
    tasks = [make_task(out.parent, name) for name in "cab"]
    shares = (Share(0, 2), Share(1, 2), Share())
    stored = [
        write(TranscodeRecord(out, share), task) for share, task in zip(shares, tasks, strict=True)
    ]

    record = TranscodeRecord(out, Share(3, 9))
    assert [record.get(task) for task in tasks] == stored
    assert sum_bytes(out, H264) == 3 and sum_bytes(out, INTRA) == 0
    tasks[2].output.unlink()
    TranscodeRecord(out).tidy()

    assert [path.name for path in out.glob("*.jsonl")] == ["transcoded.jsonl"]
    lines = [json.loads(line) for line in (out / "transcoded.jsonl").read_text().splitlines()]
    assert [line["output"] for line in lines] == ["videos/a.mp4", "videos/c.mp4"]


@pytest.mark.parametrize("newer", ["shard", "all"])
def test_the_digest_decides_between_records_that_differ(newer: str, out: Path) -> None:
    older, task = (make_task(out.parent, "a", settings) for settings in (H264, INTRA))
    shard, whole = TranscodeRecord(out, Share(1, 2)), TranscodeRecord(out)
    write(shard, older, b"1")
    expected = write(whole, task, b"2")
    # the clock of a machine is wrong, or its job has written other files since
    for record, is_newer in ((shard, newer == "shard"), (whole, newer == "all")):
        os.utime(record.path, ns=(2 + is_newer, 2 + is_newer))

    found = TranscodeRecord(out)

    assert found.get(older) is None
    assert found.get(task) == (expected if newer == "all" else None)
    found.tidy()
    assert TranscodeRecord(out).get(older) is None
    assert TranscodeRecord(out).get(task) == (expected if newer == "all" else None)


def test_what_this_run_wrote_counts_more_than_a_newer_record(out: Path) -> None:
    older, task = (make_task(out.parent, "a", settings) for settings in (H264, INTRA))
    shard = TranscodeRecord(out, Share(1, 2))
    write(shard, older, b"1")
    record = TranscodeRecord(out)
    expected = write(record, task, b"2")
    os.utime(shard.path, ns=(2**62, 2**62))

    record.tidy()

    assert TranscodeRecord(out).get(task) == expected


def test_jobs_have_finished_for_the_settings_that_they_were_run_with(out: Path) -> None:
    assert find_finished(out, 2, H264) == find_unfinished(out, H264) == []
    for share, settings in ((Share(0, 2), H264), (Share(1, 2), INTRA)):
        with TranscodeRecord(out, share) as record:
            assert isinstance(record, TranscodeRecord)
            record.mark_finished(settings)

    assert find_finished(out, 2, H264) == [Share(0, 2)]
    assert find_unfinished(out, H264) == [Share(1, 2)]
    assert find_unfinished(out, INTRA) == [Share(0, 2)]
    write(TranscodeRecord(out, Share(0, 2)), make_task(out.parent, "a"))  # it has begun again
    assert find_finished(out, 2, H264) == []


def test_the_mark_is_where_it_says_and_is_no_file(out: Path) -> None:
    record = TranscodeRecord(out)
    task = make_task(out.parent, "a")
    stored = write(record, task)
    with record:
        mark = record.put_mark()

    content = record.path.read_text()
    assert content[mark.start :].startswith(mark.text)
    assert TranscodeRecord(out).get(task) == stored
    TranscodeRecord(out).tidy()
    assert record.path.read_text().count("\n") == 1

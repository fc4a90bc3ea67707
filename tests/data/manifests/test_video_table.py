"""A manifest that was not edited is read as a table of rows that are parsed when they are used."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from videomae_cli.config.model import Task
from videomae_cli.data.manifest import Video, read_manifest, write_manifest
from videomae_cli.data.manifests.video_table import VideoTable, read_column, uses_decoder
from videomae_cli.errors import DataError

CLASSES = ("run", "sit")
PATHS = (
    "a.mp4",
    "with, comma.mp4",
    'with "quotes", and comma.mp4',
    "with\nline ends\r\n.mp4",
    '"',
    "not utf-8 \udcff.mp4",
    "Zürich 東京.mp4",
    " spaces ",
)


def make_videos(task: Task, *, has_segments: bool) -> list[Video]:
    targets: dict[str, tuple[float, ...] | None] = {
        "single-label": None,
        "multi-label": (1.0, 0.0),
        "regression": (0.1, -2.5e-7),
    }
    label = 1 if task == "single-label" else None
    start = 7 if has_segments else None
    return [
        Video(
            *(path, label, ("train", "val", "test")[number % 3], 10**number + number),
            *(29.97, 1 + number * 1000, 48, "pyav", targets[task]),
            start if number % 2 else None,
        )
        for number, path in enumerate(PATHS)
    ]


@pytest.mark.parametrize("task", ["single-label", "multi-label", "regression"])
@pytest.mark.parametrize("has_segments", [False, True])
def test_table_has_the_videos_that_were_written(
    tmp_path: Path, task: Task, has_segments: bool
) -> None:
    videos = make_videos(task, has_segments=has_segments)
    facts = {"task": task}
    write_manifest(tmp_path, root=tmp_path, videos=videos, classes=CLASSES, facts=facts)

    table = read_manifest(tmp_path).videos

    assert isinstance(table, VideoTable)
    assert list(table) == videos
    assert table == videos and videos == table and table == tuple(videos)
    assert table != videos[:-1] and table != videos[::-1]
    assert [table[number] for number in range(-8, 8)] == [videos[n] for n in range(-8, 8)]
    assert table[1:7:2] == videos[1:7:2]
    assert pickle.loads(pickle.dumps(table)) == videos
    for name in ("frames", "width", "height"):
        expected = [getattr(video, name) for video in videos]
        assert read_column(table, name).tolist() == read_column(videos, name).tolist() == expected
    with pytest.raises(IndexError):
        table[8]


@pytest.mark.parametrize("has_segments", [False, True])
def test_a_table_knows_the_decoders_that_its_videos_need(
    tmp_path: Path, has_segments: bool
) -> None:
    videos = make_videos("single-label", has_segments=has_segments)
    videos[3] = videos[3]._replace(decoder="decord")
    write_manifest(tmp_path, root=tmp_path, videos=videos, classes=CLASSES, facts={})
    table = read_manifest(tmp_path).videos
    names = ("pyav", "decord", "torchcodec")

    assert isinstance(table, VideoTable)
    for found in (table, videos):
        assert [name for name in names if uses_decoder(found, name)] == ["pyav", "decord"]


def test_splits_keep_the_order(tmp_path: Path) -> None:
    videos = make_videos("single-label", has_segments=False)
    write_manifest(tmp_path, root=tmp_path, videos=videos, classes=CLASSES, facts={})
    manifest = read_manifest(tmp_path)

    for split in ("train", "val", "test"):
        expected = [video for video in videos if video.split == split]
        assert manifest.split(split) == expected
        widths = read_column(manifest.split(split), "width")
        np.testing.assert_array_equal(widths, [video.width for video in expected])


def test_no_rows_are_an_empty_table(tmp_path: Path) -> None:
    write_manifest(tmp_path, root=tmp_path, videos=[], classes=None, facts={})

    assert read_manifest(tmp_path).videos == ()


def test_row_that_was_never_right_is_refused_when_it_is_used(tmp_path: Path) -> None:
    videos = make_videos("single-label", has_segments=False)
    videos[2] = videos[2]._replace(label=5)
    write_manifest(tmp_path, root=tmp_path, videos=videos, classes=CLASSES, facts={})
    table = read_manifest(tmp_path).videos

    assert table[1] == videos[1]
    with pytest.raises(DataError, match=r"manifest\.csv, row 3: label 5 is out of range"):
        table[2]


def test_edited_file_is_checked_row_by_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    videos = make_videos("single-label", has_segments=False)
    write_manifest(tmp_path, root=tmp_path, videos=videos, classes=CLASSES, facts={})
    file = tmp_path / "manifest.csv"
    file.write_bytes(file.read_bytes().replace(b"a.mp4,1", b"b.mp4,0"))

    edited = read_manifest(tmp_path).videos

    assert edited == (videos[0]._replace(path="b.mp4", label=0), *videos[1:])
    assert "was edited after videomae prepare wrote it" in caplog.text
    file.write_bytes(file.read_bytes().replace(b"b.mp4,0", b"b.mp4,9"))
    with pytest.raises(DataError, match=r"manifest\.csv:2: label 9 is out of range"):
        read_manifest(tmp_path)

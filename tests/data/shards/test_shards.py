"""Files in shards are read as the files themselves are, and damage is an error."""

import json
import logging
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.data.make_frames import write_frame_folder
from tests.notes import Notes
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Video
from videomae_cli.data.shards.index import find_member, read_member, read_stamp
from videomae_cli.data.shards.writer import list_files, plan_shards
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.storage import shards

NAMES = ("a/one.mp4", "a/two.mkv", "b, c/naïve 'x'.avi", "b, c/\udcff.mp4", "last.MP4")
DECODERS = ("decord", "pyav", "pyav", "pyav", "decord")
SMALL = 4096


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(NAMES):
        codec = "mpeg4" if name.endswith(".avi") else "libx264"
        write_clip(folder / "plain" / f"{number}.mp4", 14, codec=codec, seed=number)
        clip = write_clip(folder / f"x{Path(name).suffix.lower()}", 14, codec=codec, seed=number)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        clip.rename(folder / name)
    return folder


def rows() -> list[Video]:
    return [
        Video(name, number % 2, "train", 14, 25.0, 64, 64, decoder)
        for number, (name, decoder) in enumerate(zip(NAMES, DECODERS, strict=True))
    ]


def write(root: Path, out: Path, location: str = "shards", shard_bytes: int = SMALL) -> Path:
    out.mkdir(exist_ok=True)
    return shards.write(
        location, out, root, rows(), ("no", "yes"), Notes(), shard_bytes=shard_bytes
    )


def test_every_file_is_read_as_from_its_folder(root: Path, tmp_path: Path) -> None:
    index = write(root, tmp_path / "out")

    assert index == tmp_path / "out/shards.sqlite"
    assert len(list((tmp_path / "out/shards").glob("videos-*.tar"))) > 1
    for video in rows():
        for decoder in {video.decoder, "pyav"}:
            frames = read_frames(index / video.path, [9, 0, 13], decoder=decoder)
            expected = read_frames(root / video.path, [9, 0, 13], decoder=decoder)
            np.testing.assert_array_equal(frames, expected)
        assert read_stamp(index / video.path) == ((root / video.path).stat().st_size, 0)


def test_archives_are_samples_as_webdataset_names_them(root: Path, tmp_path: Path) -> None:
    index = write(root, tmp_path, shard_bytes=1 << 30)

    with tarfile.open(tmp_path / "shards/videos-000000.tar") as archive:
        members = archive.getmembers()
        assert [one.name for one in members] == [
            *("000000000.json", "000000000.mp4", "000000001.json", "000000001.mkv"),
            *("000000002.json", "000000002.avi", "000000003.json", "000000003.mp4"),
            *("000000004.json", "000000004.mp4"),
        ]
        for video, member, facts in zip(rows(), members[1::2], members[::2], strict=True):
            found = find_member(index / video.path)
            assert (found.start, found.size) == (member.offset_data, member.size)
            content = archive.extractfile(facts)
            assert content is not None
            row = json.loads(content.read())
            assert row["path"] == video.path and row["frames"] == 14
            assert row["class"] == ("no", "yes")[row["label"]]


def test_shards_have_the_size_that_is_asked_for(root: Path) -> None:
    files = list_files(rows(), root, None)

    for size in (1, 3000, 1 << 30):
        plan = plan_shards(files, size)
        assert [file for shard in plan for file in shard] == files
        assert all(len(one) == 1 or sum(file.size for file in one) <= size for one in plan)
    assert len(plan_shards(files, 1)) == 5 and len(plan_shards(files, 1 << 30)) == 1


def test_segments_of_a_file_are_one_member(root: Path) -> None:
    segments = [rows()[0]._replace(start=start, frames=2) for start in (0, 4)]

    (file,) = list_files(segments, root, ("no", "yes"))
    assert "frames" not in json.loads(file.facts)


def test_second_run_keeps_what_is_the_same(root: Path, tmp_path: Path) -> None:
    write(root, tmp_path, shard_bytes=1)
    archives = sorted((tmp_path / "shards").iterdir())
    before = [path.stat().st_mtime_ns for path in archives]
    content = [path.read_bytes() for path in archives]
    archives[1].unlink()

    write(root, tmp_path, shard_bytes=1)

    after = [path.stat().st_mtime_ns for path in archives]
    assert [one == two for one, two in zip(before, after, strict=True)] == [
        True, False, True, True, True
    ]  # fmt: skip
    assert [path.read_bytes() for path in archives] == content


def test_folders_absolute_paths_and_missing_files_are_refused(root: Path, tmp_path: Path) -> None:
    write_frame_folder(tmp_path / "frames", 3)
    one = rows()[0]
    for video, message in (
        (one._replace(path=str(root / NAMES[0])), "an absolute path"),
        (one._replace(path="frames"), "add --jpeg|a folder of images"),
        (one._replace(path="gone.mp4"), "No such file"),
    ):
        with pytest.raises(DataError, match=message):
            list_files([video], tmp_path, None)


def test_damaged_and_missing_shards_are_errors(root: Path, tmp_path: Path) -> None:
    index = write(root, tmp_path, shard_bytes=1 << 30)
    path = index / NAMES[0]
    archive = tmp_path / "shards/videos-000000.tar"
    content = archive.read_bytes()

    with pytest.raises(DataError, match=r"gone\.mp4: not in the index of the shards"):
        read_frames(index / "gone.mp4", [0])
    with pytest.raises(DataError, match=r"frame 14 is past the end|only 0 of 1") as failure:
        read_frames(path, [14])
    assert str(path) in failure.value.message
    archive.write_bytes(content[: find_member(path).start + 100])
    with pytest.raises(DataError, match="ends before byte"):
        read_frames(path, [0])
    archive.unlink()
    with pytest.raises(DataError, match=r"videos-000000\.tar: No such file"):
        read_frames(path, [0])
    for content in (b"", b"no database"):
        other = tmp_path / str(len(content)) / "shards.sqlite"
        other.parent.mkdir()
        other.write_bytes(content)
        with pytest.raises(DataError, match="not an index of shards"):
            read_frames(other / NAMES[0], [0])
    with pytest.raises(DataError, match=r"shards\.sqlite is missing"):
        read_frames(tmp_path / "nowhere/shards.sqlite/a.mp4", [0])


def test_shards_can_be_at_any_place_that_fsspec_knows(root: Path, tmp_path: Path) -> None:
    for number, location in enumerate(("memory://test-shards", (tmp_path / "far").as_uri())):
        index = write(root, tmp_path / str(number), location)
        for video in rows():
            assert read_member(find_member(index / video.path)) == (
                (root / video.path).read_bytes()
            )
    assert fsspec.filesystem("memory").exists("/test-shards/videos-000000.tar")


def test_a_warning_names_the_video_and_its_shard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    videos = []
    for name in ("a/narrow.mp4", "b/narrow.mp4"):  # the width is one that decord does not read
        write_clip(tmp_path / "videos" / name, 12, height=32, width=48)
        videos.append(Video(name, None, "train", 12, 25.0, 48, 32, "pyav"))
    index = shards.write(
        "shards", tmp_path / "out", tmp_path / "videos", videos, None, Notes(), shard_bytes=SMALL
    )

    with caplog.at_level(logging.WARNING, logger="videomae"):
        for video in 2 * videos:
            read_frames(index / video.path, [0])

    assert len(caplog.messages) == 2  # one for each video
    for number, message in enumerate(caplog.messages):
        archive = tmp_path / f"out/shards/videos-{number:06d}.tar"
        assert message.startswith(f"{videos[number].path} in {archive}: read with PyAV, because")
        assert "/proc" not in message

"""Segments and written videos: one source for a file, limits before the work, sets that move."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import BORIS
from tests.tasks.prepare.test_prepare import listed, prepared
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import DataError, UsageError


def test_segments_of_a_file_are_one_source_however_its_path_is_written(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    for name in ("a", "b", "c"):
        clip(tmp_path / f"d/{name}.mp4")
    rows = [
        f"{spelling}d/{name}.mp4,{start},{start + 2},{label}"
        for label, name in enumerate(("a", "b", "c"))
        for start, spelling in ((0, ""), (2, "./"), (4, "d/../"))
    ]
    source = listed(tmp_path / "all.csv", "\n".join(["path,start_frame,end_frame,label", *rows]))

    videos = prepared(source, tmp_path / "out", val_fraction=0.5).manifest.videos

    assert [video.name for video in videos] == [
        f"d/{name}.mp4#{start}-{start + 2}" for name in "abc" for start in (0, 2, 4)
    ]
    for name in "abc":
        assert len({video.split for video in videos if video.path == f"d/{name}.mp4"}) == 1


def test_budget_of_rejected_videos_is_checked_before_videos_are_written(
    tmp_path: Path, folders: Path
) -> None:
    (folders / "run" / "broken.mp4").write_bytes(b"no video")

    with pytest.raises(DataError, match=r"1 of 7 videos are rejected \(14\.3%\)"):
        prepared(folders, tmp_path / "out", form="uint8", max_bad=0.1)
    assert not (tmp_path / "out/videos").exists()
    prepared(folders, tmp_path / "out", form="uint8", max_bad=0.2)


def test_written_videos_can_be_moved_with_their_directory(tmp_path: Path, folders: Path) -> None:
    summary = prepared(folders, tmp_path / "out", form="jpeg")
    (tmp_path / "out").rename(tmp_path / "moved")

    manifest = read_manifest(tmp_path / "moved")

    assert manifest.digest == summary.manifest.digest
    assert all(manifest.video_path(video).is_file() for video in manifest.videos)


@pytest.mark.parametrize("place", ["nope://bucket/x", "s3://bucket/x"])
def test_place_that_fsspec_cannot_open_is_refused_before_videos_are_decoded(
    place: str, tmp_path: Path, folders: Path
) -> None:
    if place.startswith("s3") and find_spec("s3fs"):
        pytest.skip("s3fs is installed")

    with pytest.raises(UsageError, match=f"--shards {place}: "):
        prepared(folders, tmp_path / "out", shards=place)
    assert not (tmp_path / "out").exists()


def test_column_without_any_label_is_an_error(tmp_path: Path, clip: Callable[[Path], Path]) -> None:
    clip(tmp_path / "videos/mice.mp4")
    text = BORIS.replace("feeding", "").replace("moving", "").replace("vocal", "")
    source = listed(tmp_path / "boris.csv", text)

    with pytest.raises(DataError, match="no row has a label in 'Behavioral category'"):
        prepared(source, tmp_path / "out", label_column="Behavioral category")

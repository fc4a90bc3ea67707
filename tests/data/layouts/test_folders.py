"""Folders of videos: classes and splits come from folder names."""

import logging
from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_files
from videomae_cli.errors import DataError


def test_class_folders_name_the_classes(tmp_path: Path) -> None:
    source = write_files(tmp_path, "run/a.mp4", "run/b.MP4", "jump high/c.avi", "run/notes.txt")

    assert entries_of(source) == (
        "class-folders",
        [
            ("jump high/c.avi", "jump high", None),
            ("run/a.mp4", "run", None),
            ("run/b.MP4", "run", None),
        ],
    )


@pytest.mark.parametrize("val", ["val", "validation", "Valid"])
def test_split_folders_above_class_folders_are_splits(val: str, tmp_path: Path) -> None:
    source = write_files(
        tmp_path, "train/x/a.mp4", "train/y/b.mp4", f"{val}/x/c.mp4", "testing/y/d.mp4"
    )

    name, entries = entries_of(source)

    assert name == "class-folders"
    assert set(entries) == {
        ("train/x/a.mp4", "x", "train"),
        ("train/y/b.mp4", "y", "train"),
        (f"{val}/x/c.mp4", "x", "val"),
        ("testing/y/d.mp4", "y", "test"),
    }


def test_an_empty_split_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = write_files(tmp_path, "train/x/a.mp4", "train/x/e.mp4", "train/y/b.mp4")
    (tmp_path / "val").mkdir()

    with pytest.raises(DataError, match="val has no videos"):
        entries_of(source)


@pytest.mark.parametrize(
    "paths",
    [
        ("a.mp4", "b.mp4"),
        ("only/a.mp4", "only/b.mp4"),
        ("day1/cam1/a.mp4", "day1/cam2/b.mp4", "day2/c.mp4"),
        ("a.mp4", "x/b.mp4", "y/c.mp4"),
        ("one/a.mp4", "two/a.mp4", "three/a.mp4"),
    ],
    ids=["flat", "one folder", "nested", "beside folders", "each in its own"],
)
def test_videos_without_class_folders_are_unlabelled(
    paths: tuple[str, ...], tmp_path: Path
) -> None:
    name, entries = entries_of(write_files(tmp_path, *paths))

    assert name == "videos"
    assert entries == [(path, None, "train") for path in sorted(paths)]


def test_unlabelled_splits_are_kept(tmp_path: Path) -> None:
    name, entries = entries_of(write_files(tmp_path, "train/a.mp4", "val/b.mp4"))

    assert (name, entries) == (
        "videos",
        [("train/a.mp4", None, "train"), ("val/b.mp4", None, "val")],
    )


def test_hidden_files_are_skipped_and_others_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_files(tmp_path, "a.mp4", ".b.mp4", ".git/c.mp4", "readme.txt")

    with caplog.at_level(logging.WARNING, logger="videomae"):
        _, entries = entries_of(source)

    assert [path for path, _, _ in entries] == ["a.mp4"]
    assert "1 .txt" in caplog.text


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    source = write_files(tmp_path, "x/a.mp4")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)

    assert [path for path, _, _ in entries_of(source)[1]] == ["x/a.mp4"]

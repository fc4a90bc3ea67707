"""Folders of videos: classes and splits come from folder names."""

from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_files
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Reading
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
        ("day1/cam1/a.mp4", "day1/cam2/b.mp4"),
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


def test_hidden_files_are_skipped_and_others_named(tmp_path: Path) -> None:
    source = write_files(tmp_path, "a.mp4", ".b.mp4", ".git/c.mp4", "readme.txt", "empty/notes.md")

    listing = scan_layout(source, "videos")

    assert [entry.path for entry in listing.entries] == ["a.mp4"]
    assert listing.remarks == [
        "not used, because they are not videos: 2 files (empty/notes.md, readme.txt)",
        "folders without videos: empty",
        "not used, because they are hidden, or links to a folder that is read already: 2 "
        "(.b.mp4, .git)",
    ]


def test_one_more_level_keeps_the_classes(tmp_path: Path) -> None:
    paths = ("run/anna/a.mp4", "run/bob/b.mp4", "sit/anna/c.mp4")

    name, entries = entries_of(write_files(tmp_path, *paths))

    assert name == "class-folders"
    assert [(path, label) for path, label, _ in entries] == [
        ("run/anna/a.mp4", "run"),
        ("run/bob/b.mp4", "run"),
        ("sit/anna/c.mp4", "sit"),
    ]
    assert "anna, bob" in scan_layout(tmp_path, name).remarks[-1]


def test_a_video_above_the_class_folders_is_rejected_and_the_others_keep_their_labels(
    tmp_path: Path,
) -> None:
    source = write_files(tmp_path, "x.mp4", "run/a.mp4", "run/b.mp4", "sit/c.mp4")

    entries = scan_layout(source, detect_layout(source).name).entries

    assert [(entry.path, entry.label) for entry in entries if not entry.rejection] == [
        ("run/a.mp4", "run"),
        ("run/b.mp4", "run"),
        ("sit/c.mp4", "sit"),
    ]
    assert [entry.path for entry in entries if entry.rejection] == ["x.mp4"]


def test_class_folders_further_down_and_splits_below_classes_are_found(tmp_path: Path) -> None:
    deep = write_files(tmp_path / "1", *(f"UCF/UCF-101/{c}/{n}.mp4" for c in "ab" for n in "xy"))
    inside = write_files(
        tmp_path / "2", *(f"{c}/{s}/{n}.mp4" for c in "ab" for s in ("train", "dev") for n in "xy")
    )

    assert {label for _, label, _ in entries_of(deep)[1]} == {"a", "b"}
    assert {entry[1:] for entry in entries_of(inside)[1]} == {
        (label, split) for label in "ab" for split in ("train", "val")
    }


def test_a_folder_beside_those_of_splits_is_an_error(tmp_path: Path) -> None:
    source = write_files(tmp_path, "train/x/a.mp4", "test/x/b.mp4", "extra/x/c.mp4")

    with pytest.raises(DataError, match="test, train are named after splits, but extra is not"):
        entries_of(source)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    source = write_files(tmp_path, "x/a.mp4")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)

    assert [path for path, _, _ in entries_of(source)[1]] == ["x/a.mp4"]


def test_folders_that_are_no_classes_and_empty_ones_are_named(tmp_path: Path) -> None:
    one_class = write_files(tmp_path / "one", "jump/1.mp4", "jump/2.mp4")
    splits = write_files(
        tmp_path / "splits", *(f"train/{name}.mp4" for name in ("jump/1", "jump/2", "run/1"))
    )
    (splits / "train" / "wave").mkdir()

    remarks = [
        list(scan_layout(one_class, "videos").remarks),
        list(scan_layout(splits, "class-folders").remarks),
    ]

    assert remarks == [
        ["folders are not used as classes: jump"],
        ["folders without videos: train/wave"],
    ]


def test_other_files_among_frames_are_named(tmp_path: Path) -> None:
    images = [f"{name}/{number}.png" for name in ("a", "b") for number in (1, 2)]
    source = write_files(tmp_path, *images, "a/boxes.xml")

    listing = scan_layout(source, "videos")

    assert "not used, because they are not videos: 1 file (a/boxes.xml)" in listing.remarks, (
        listing.remarks
    )


def test_all_files_beside_lists_are_named(tmp_path: Path) -> None:
    images = [f"{name}/{number}.png" for name in ("a", "b") for number in (1, 2)]
    source = write_files(tmp_path, *images, "features.npy", "a/boxes.xml")
    (source / "train.txt").write_text("a\n")

    listing = scan_layout(source, "list-paths")

    assert listing.remarks == [
        "1 of 2 videos in this folder are in no list: b",
        "not used, because they are neither videos nor lists: 2 files (a/boxes.xml, features.npy)",
    ]


def test_the_file_of_class_names_is_used(tmp_path: Path) -> None:
    source = write_files(tmp_path / "lists", "1.mp4")
    (source / "train.txt").write_text("1.mp4 0\n")
    (source / "names.txt").write_text("jump\nrun\n")
    folders = write_files(
        tmp_path / "folders", "jump/1.mp4", "jump/2.mp4", "run/1.mp4", "names.txt"
    )

    listings = [
        scan_layout(source, "list-label", Reading(classes=source / "names.txt")),
        scan_layout(folders, "class-folders", Reading(classes=folders / "names.txt")),
    ]

    assert [remark for listing in listings for remark in listing.remarks if "names" in remark] == []

"""The layout of a source is detected, or the error explains what is missing."""

from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_files, write_text
from videomae_cli.data.layouts import LAYOUTS, detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError, UsageError


def test_a_table_is_preferred_to_class_folders_and_the_alternative_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, "run/a.mp4", "run/c.mp4", "sit/b.mp4")
    write_text(tmp_path / "labels.csv", "path,label\nrun/a.mp4,run\n")

    line = str(detect_layout(tmp_path))

    assert line.startswith("layout table: labels.csv: a header with path, label")
    assert "--layout class-folders" in line
    assert [entry.path for entry in scan_layout(tmp_path, "class-folders").entries] == [
        "run/a.mp4",
        "run/c.mp4",
        "sit/b.mp4",
    ]


def test_a_list_of_class_names_does_not_hide_class_folders(tmp_path: Path) -> None:
    write_files(tmp_path, "run/a.mp4", "run/c.mp4", "sit/b.mp4")
    write_text(tmp_path / "classes.txt", "run 0\nsit 1\n")

    assert entries_of(tmp_path)[0] == "class-folders"


def test_two_tables_for_the_same_videos_are_an_error(tmp_path: Path) -> None:
    write_text(tmp_path / "one.csv", "path,label\na.mp4,0\n")
    write_text(tmp_path / "two.csv", "path,label\na.mp4,0\n")

    with pytest.raises(DataError, match=r"several lists.*one\.csv, two\.csv"):
        scan_layout(tmp_path, "table")


@pytest.mark.parametrize("make", ["nothing", "missing", "one video", "prose"])
def test_a_source_without_a_data_set_is_an_error(make: str, tmp_path: Path) -> None:
    source = {
        "nothing": tmp_path,
        "missing": tmp_path / "gone",
        "one video": write_files(tmp_path / "v", "a.mp4") / "a.mp4",
        "prose": write_text(
            tmp_path / "p" / "readme.txt", "Some words, and\nmore of them.\n"
        ).parent,
    }[make]
    if make == "nothing":
        source = tmp_path / "empty"
        source.mkdir()

    with pytest.raises(DataError, match=r"no known layout|does not exist"):
        detect_layout(source)


def test_an_unknown_layout_gives_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scan_layout(tmp_path, "folders")

    assert all(name in caught.value.hint for name in LAYOUTS)


def test_a_given_layout_without_videos_is_an_error_that_names_it(tmp_path: Path) -> None:
    errors = {}
    for layout in LAYOUTS:
        try:
            scan_layout(tmp_path, layout)
        except DataError as error:
            errors[layout] = error.message

    assert errors == {
        layout: f"{tmp_path} contains no videos in layout {layout}" for layout in LAYOUTS
    }


def test_an_entry_gives_the_place_where_it_is_listed() -> None:
    assert VideoEntry("a", 0, None, Path("x.csv"), 7).where == "x.csv:7"
    assert VideoEntry("a", 0, None, Path("a.mp4"), 0).where == "a.mp4"

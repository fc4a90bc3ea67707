"""Lists without a header: the format follows from columns and values."""

from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_text
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.errors import DataError


def test_the_lists_of_a_folder_belong_together(tmp_path: Path) -> None:
    write_text(tmp_path / "train.csv", "/d/a.mp4 0\n")
    write_text(tmp_path / "val.csv", "/d/b.mp4 1\n")

    assert entries_of(tmp_path) == (
        "list-label",
        [("/d/a.mp4", 0, "train"), ("/d/b.mp4", 1, "val")],
    )


@pytest.mark.parametrize(
    ("lines", "layout", "entries"),
    [
        ("a.mp4 3\nmy clip.mp4 0\n", "list-label", [("a.mp4", 3), ("my clip.mp4", 0)]),
        ("x/a  3\nx/b\t0\n", "list-label", [("x/a", 3), ("x/b", 0)]),
        ("a.mp4 250 3\nb 2.mp4 300 0\n", "list-frames-label", [("a.mp4", 3), ("b 2.mp4", 0)]),
        ("a.mp4 0 -1\nx/b 0 -1\n", "list-start-frames", [("a.mp4", None), ("x/b", None)]),
        ("a.mp4::1\nb c.mp4::0\n", "list-label", [("a.mp4", 1), ("b c.mp4", 0)]),
        ("a, b.mp4, 1\nc.mp4, 0\n", "list-label", [("a, b.mp4", 1), ("c.mp4", 0)]),
        ("'a.mp4' 1\n\"b c.mp4\" 0\n", "list-label", [("a.mp4", 1), ("b c.mp4", 0)]),
        ("a.mp4;jump\nb.mp4;run fast\n", "list-label", [("a.mp4", "jump"), ("b.mp4", "run fast")]),
        ("a.mp4 jump high\nb.mp4 run\n", "list-label", [("a.mp4", "jump high"), ("b.mp4", "run")]),
        ("x/a 1.0\nx/b 10.0\n", "list-label", [("x/a", 1), ("x/b", 10)]),
        ("a.mp4\nmy clip.mkv\n", "list-paths", [("a.mp4", None), ("my clip.mkv", None)]),
    ],
)
def test_lists_are_told_apart_by_columns_and_values(
    lines: str, layout: str, entries: list[tuple[str, int | None]], tmp_path: Path
) -> None:
    source = write_text(tmp_path / "list.txt", lines)

    name, read = entries_of(source)

    assert name == layout
    assert [entry[:2] for entry in read] == entries


def test_start_and_count_of_frames_are_kept_to_be_checked(tmp_path: Path) -> None:
    source = write_text(tmp_path / "train.csv", "v/one 1 120\nv/two.mp4 0 -1\n")

    folder, video = scan_layout(source, "list-start-frames").entries

    assert (folder.start, folder.frames) == (1, 120)
    assert (video.start, video.frames) == (None, None)


def test_a_field_of_split_names_is_the_split(tmp_path: Path) -> None:
    source = write_text(tmp_path / "all.csv", "a.mp4,run,train\nb.mp4,sit,Valid\nc.mp4,sit,eval\n")

    assert entries_of(source)[1] == [
        ("a.mp4", "run", "train"),
        ("b.mp4", "sit", "val"),
        ("c.mp4", "sit", "val"),
    ]


def test_labelled_and_unlabelled_lists_belong_together_and_the_others_are_named(
    tmp_path: Path,
) -> None:
    write_text(tmp_path / "trainlist01.txt", "x/a.avi 1\nx/b.avi 2\n")
    write_text(tmp_path / "testlist01.txt", "x/c.avi\n")
    write_text(tmp_path / "classInd.txt", "1 Run\n2 Sit\n")
    write_text(tmp_path / "all.txt", "x/d.avi 1\n")

    listing = scan_layout(tmp_path, detect_layout(tmp_path).name)

    assert [(entry.label, entry.split) for entry in listing.entries] == [
        (1, "train"),
        (2, "train"),
        (None, "test"),
    ]
    remarks = "\n".join(listing.remarks)
    assert "classInd.txt" in remarks and "all.txt is not used" in remarks


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a.mp4 0\nb.mp4 1\nc.mp4 one\n", r"train\.csv:3: label 'one' is a name"),
        ("a.mp4 0\nb.mp4 1\nc.mp4 0 1\n", r"train\.csv:3: .*several labels"),
        ("a.mp4,jump,run\nb.mp4,run,sit\n", r"train\.csv:1: .*several labels"),
        ("a.mp4 0 1\nb.mp4 1 1\n", r"train\.csv:1: 0 and 1 after the path are two labels, or"),
    ],
)
def test_a_wrong_line_in_a_list_is_named(lines: str, words: str, tmp_path: Path) -> None:
    source = write_text(tmp_path / "train.csv", lines)

    with pytest.raises(DataError, match=words):
        entries_of(source)


def test_an_empty_list_beside_a_full_one_is_an_empty_split(tmp_path: Path) -> None:
    write_text(tmp_path / "train.csv", "a.mp4 0\n")
    write_text(tmp_path / "val.csv", "\n")

    with pytest.raises(DataError, match=r"val\.csv:1: no videos listed: the split val is empty"):
        entries_of(tmp_path)


def test_a_list_whose_name_speaks_of_a_fold_hints_at_a_split(tmp_path: Path) -> None:
    source = write_text(tmp_path / "fold1.txt", "a.mp4 0\nb.mp4 1\n")

    assert scan_layout(source, "list-label").split_hints == ["fold1.txt"]

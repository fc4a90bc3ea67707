"""Lists without a header: the format follows from columns and values."""

from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_text
from videomae_cli.data.layouts import scan_layout
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
        ("x/a  3\nx/b\t0\n", "list-label", [("x/a.mp4", 3), ("x/b.mp4", 0)]),
        ("a.mp4 250 3\nb 2.mp4 300 0\n", "list-frames-label", [("a.mp4", 3), ("b 2.mp4", 0)]),
        ("a.mp4 0 -1\nx/b 0 -1\n", "list-start-frames", [("a.mp4", None), ("x/b.mp4", None)]),
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


def test_frame_folders_are_listed_with_a_reason_to_reject_them(tmp_path: Path) -> None:
    source = write_text(tmp_path / "train.csv", "v/one 1 120\nv/two.mp4 0 -1\n")

    folder, video = scan_layout(source, "list-start-frames")

    assert "not supported yet" in folder.rejection
    assert not video.rejection


def test_a_wrong_line_in_a_list_is_named(tmp_path: Path) -> None:
    source = write_text(tmp_path / "train.csv", "a.mp4 0\nb.mp4 1\nc.mp4 one\n")

    with pytest.raises(DataError, match=r"train\.csv:3: 'c\.mp4 one' is not `path label`"):
        entries_of(source)


def test_an_empty_list_beside_a_full_one_is_an_empty_split(tmp_path: Path) -> None:
    write_text(tmp_path / "train.csv", "a.mp4 0\n")
    write_text(tmp_path / "val.csv", "\n")

    with pytest.raises(DataError, match=r"val\.csv:1: no videos listed: the split val is empty"):
        entries_of(tmp_path)

"""Tables: the header gives the columns; a wrong row is reported with file and line."""

from pathlib import Path

import pytest

from tests.data.layouts.sources import entries_of, write_text
from videomae_cli.data.layouts import scan_layout
from videomae_cli.errors import DataError


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_read_by_its_header(delimiter: str, tmp_path: Path) -> None:
    rows = [("Video", "Class", "Subset"), ("a.mp4", "run", "Training"), ("b c.mp4", "sit", "VALID")]
    source = write_text(tmp_path / "all.csv", "\n".join(delimiter.join(row) for row in rows))

    assert entries_of(source) == ("table", [("a.mp4", "run", "train"), ("b c.mp4", "sit", "val")])


def test_quoted_paths_keep_commas_quotes_and_spaces(tmp_path: Path) -> None:
    source = write_text(tmp_path / "t.csv", 'path,label\n"a, ""b"" c.mp4",0\n plain.mp4, 1\n\n')

    assert entries_of(source)[1] == [('a, "b" c.mp4', 0, None), ("plain.mp4", 1, None)]


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes("\ufeffpath,label\r\na.mp4,run\r\n".encode())

    assert entries_of(source) == ("table", [("a.mp4", "run", None)])


def test_numbers_beside_names_keep_both(tmp_path: Path) -> None:
    source = write_text(tmp_path / "t.csv", "path,label,label_name\na.mp4,1,run\n")

    assert scan_layout(source, "table").entries[0][:2] == ("a.mp4", 1)
    assert scan_layout(source, "table").entries[0].class_name == "run"


def test_one_word_among_numbers_makes_all_labels_names(tmp_path: Path) -> None:
    source = write_text(tmp_path / "t.csv", "path,label\na.mp4,1\nb.mp4,one\n")

    assert [label for _, label, _ in entries_of(source)[1]] == ["1", "one"]


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("a.mp4,run,train\nb.mp4,run,other\n", r"t\.csv:3: split 'other'"),
        ("a.mp4,run,train\nb.mp4,,val\n", r"t\.csv:3: no label"),
        ("a.mp4,run,train\n,run,val\n", r"t\.csv:3: no path"),
        ("a.mp4,run,train\nb,c.mp4,run,val\n", r"t\.csv:3: 4 cells, but the header has 3"),
        ('a.mp4,run,train\n"b.mp4"x,run,val\n', r"t\.csv:3: "),
        ("", r"t\.csv:1: no videos"),
    ],
)
def test_a_wrong_row_in_a_table_is_named(rows: str, place: str, tmp_path: Path) -> None:
    source = write_text(tmp_path / "t.csv", f"path,label,split\n{rows}")

    with pytest.raises(DataError, match=place):
        entries_of(source)

"""Each way data lies on disk is recognised and read in full; what is wrong has file and line."""

import logging
from pathlib import Path

import pytest

from videomae_cli.data.layouts import LAYOUTS, detect, scan
from videomae_cli.data.layouts.entry import Entry, split_in_name, split_of
from videomae_cli.errors import DataError, UsageError


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"\0")
    return root


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def found(source: Path) -> tuple[str, list[tuple[str, int | str | None, str | None]]]:
    name = detect(source).name
    return name, [(entry.path, entry.label, entry.split) for entry in scan(source, name)]


def test_class_folders_name_the_classes(tmp_path: Path) -> None:
    source = tree(tmp_path, "run/a.mp4", "run/b.MP4", "jump high/c.avi", "run/notes.txt")

    assert found(source) == (
        "class-folders",
        [
            ("jump high/c.avi", "jump high", None),
            ("run/a.mp4", "run", None),
            ("run/b.MP4", "run", None),
        ],
    )


@pytest.mark.parametrize("val", ["val", "validation", "Valid"])
def test_split_folders_above_class_folders_are_splits(val: str, tmp_path: Path) -> None:
    source = tree(tmp_path, "train/x/a.mp4", "train/y/b.mp4", f"{val}/x/c.mp4", "testing/y/d.mp4")

    name, entries = found(source)

    assert name == "class-folders"
    assert set(entries) == {
        ("train/x/a.mp4", "x", "train"),
        ("train/y/b.mp4", "y", "train"),
        (f"{val}/x/c.mp4", "x", "val"),
        ("testing/y/d.mp4", "y", "test"),
    }


def test_an_empty_split_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = tree(tmp_path, "train/x/a.mp4", "train/x/e.mp4", "train/y/b.mp4")
    (tmp_path / "val").mkdir()

    with pytest.raises(DataError, match="val has no videos"):
        found(source)


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
    name, entries = found(tree(tmp_path, *paths))

    assert name == "videos"
    assert entries == [(path, None, "train") for path in sorted(paths)]


def test_unlabelled_splits_are_kept(tmp_path: Path) -> None:
    name, entries = found(tree(tmp_path, "train/a.mp4", "val/b.mp4"))

    assert (name, entries) == (
        "videos",
        [("train/a.mp4", None, "train"), ("val/b.mp4", None, "val")],
    )


def test_hidden_files_are_passed_over_and_others_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tree(tmp_path, "a.mp4", ".b.mp4", ".git/c.mp4", "readme.txt")

    with caplog.at_level(logging.WARNING, logger="videomae"):
        _, entries = found(source)

    assert [path for path, _, _ in entries] == ["a.mp4"]
    assert "1 .txt" in caplog.text


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    source = tree(tmp_path, "x/a.mp4")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)

    assert [path for path, _, _ in found(source)[1]] == ["x/a.mp4"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_read_by_its_header(delimiter: str, tmp_path: Path) -> None:
    rows = [("Video", "Class", "Subset"), ("a.mp4", "run", "Training"), ("b c.mp4", "sit", "VALID")]
    source = text(tmp_path / "all.csv", "\n".join(delimiter.join(row) for row in rows))

    assert found(source) == ("table", [("a.mp4", "run", "train"), ("b c.mp4", "sit", "val")])


def test_quoted_paths_keep_commas_quotes_and_spaces(tmp_path: Path) -> None:
    source = text(tmp_path / "t.csv", 'path,label\n"a, ""b"" c.mp4",0\n plain.mp4, 1\n\n')

    assert found(source)[1] == [('a, "b" c.mp4', 0, None), ("plain.mp4", 1, None)]


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes("\ufeffpath,label\r\na.mp4,run\r\n".encode())

    assert found(source) == ("table", [("a.mp4", "run", None)])


def test_numbers_beside_names_keep_both(tmp_path: Path) -> None:
    source = text(tmp_path / "t.csv", "path,label,label_name\na.mp4,1,run\n")

    assert scan(source, "table")[0][:2] == ("a.mp4", 1)
    assert scan(source, "table")[0].name == "run"


def test_one_word_among_numbers_makes_all_labels_names(tmp_path: Path) -> None:
    source = text(tmp_path / "t.csv", "path,label\na.mp4,1\nb.mp4,one\n")

    assert [label for _, label, _ in found(source)[1]] == ["1", "one"]


@pytest.mark.parametrize("name", ["train.csv", "k400_train_list_videos.txt", "Training.tsv"])
def test_a_list_named_after_a_split_is_that_split(name: str, tmp_path: Path) -> None:
    source = text(tmp_path / name, "path\tlabel\na.mp4\t0\n")

    assert found(source)[1] == [("a.mp4", 0, "train")]


def test_the_lists_of_a_folder_belong_together(tmp_path: Path) -> None:
    text(tmp_path / "train.csv", "/d/a.mp4 0\n")
    text(tmp_path / "val.csv", "/d/b.mp4 1\n")

    assert found(tmp_path) == ("list-label", [("/d/a.mp4", 0, "train"), ("/d/b.mp4", 1, "val")])


def test_a_table_wins_over_class_folders_and_says_so(tmp_path: Path) -> None:
    tree(tmp_path, "run/a.mp4", "run/c.mp4", "sit/b.mp4")
    text(tmp_path / "labels.csv", "path,label\nrun/a.mp4,run\n")

    said = str(detect(tmp_path))

    assert said.startswith("layout table: labels.csv: a header with path, label")
    assert "--layout class-folders" in said
    assert [entry.path for entry in scan(tmp_path, "class-folders")] == [
        "run/a.mp4",
        "run/c.mp4",
        "sit/b.mp4",
    ]


def test_a_list_of_class_names_does_not_hide_class_folders(tmp_path: Path) -> None:
    tree(tmp_path, "run/a.mp4", "run/c.mp4", "sit/b.mp4")
    text(tmp_path / "classes.txt", "run 0\nsit 1\n")

    assert found(tmp_path)[0] == "class-folders"


def test_two_tables_that_may_be_meant_are_refused(tmp_path: Path) -> None:
    text(tmp_path / "one.csv", "path,label\na.mp4,0\n")
    text(tmp_path / "two.csv", "path,label\na.mp4,0\n")

    with pytest.raises(DataError, match=r"several lists.*one\.csv, two\.csv"):
        detect(tmp_path)


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
    source = text(tmp_path / "list.txt", lines)

    name, read = found(source)

    assert name == layout
    assert [entry[:2] for entry in read] == entries


def test_frame_folders_are_listed_with_the_reason_against_them(tmp_path: Path) -> None:
    source = text(tmp_path / "train.csv", "v/one 1 120\nv/two.mp4 0 -1\n")

    folder, video = scan(source, "list-start-frames")

    assert "not supported yet" in folder.reject
    assert not video.reject


def test_a_wrong_line_in_a_list_is_named(tmp_path: Path) -> None:
    source = text(tmp_path / "train.csv", "a.mp4 0\nb.mp4 1\nc.mp4 one\n")

    with pytest.raises(DataError, match=r"train\.csv:3: 'c\.mp4 one' is not `path label`"):
        found(source)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("a.mp4,run,train\nb.mp4,run,dev\n", r"t\.csv:3: split 'dev'"),
        ("a.mp4,run,train\nb.mp4,,val\n", r"t\.csv:3: no label"),
        ("a.mp4,run,train\n,run,val\n", r"t\.csv:3: no path"),
        ("a.mp4,run,train\nb,c.mp4,run,val\n", r"t\.csv:3: 4 cells, the header has 3"),
        ('a.mp4,run,train\n"b.mp4"x,run,val\n', r"t\.csv:3: "),
        ("", r"t\.csv:1: no videos"),
    ],
)
def test_a_wrong_row_in_a_table_is_named(rows: str, place: str, tmp_path: Path) -> None:
    source = text(tmp_path / "t.csv", f"path,label,split\n{rows}")

    with pytest.raises(DataError, match=place):
        found(source)


def test_an_empty_list_beside_a_full_one_is_an_empty_split(tmp_path: Path) -> None:
    text(tmp_path / "train.csv", "a.mp4 0\n")
    text(tmp_path / "val.csv", "\n")

    with pytest.raises(DataError, match=r"val\.csv:1: no videos listed: the split val is empty"):
        found(tmp_path)


@pytest.mark.parametrize("make", ["nothing", "missing", "one video", "prose"])
def test_what_is_no_data_set_is_refused(make: str, tmp_path: Path) -> None:
    source = {
        "nothing": tmp_path,
        "missing": tmp_path / "gone",
        "one video": tree(tmp_path / "v", "a.mp4") / "a.mp4",
        "prose": text(tmp_path / "p" / "readme.txt", "Some words, and\nmore of them.\n").parent,
    }[make]
    if make == "nothing":
        source = tmp_path / "empty"
        source.mkdir()

    with pytest.raises(DataError, match=r"no layout fits|does not exist"):
        detect(source)


def test_an_unknown_layout_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scan(tmp_path, "folders")

    assert all(name in caught.value.hint for name in LAYOUTS)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_forced_layout_that_finds_nothing_says_so(layout: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"nothing for layout {layout}"):
        scan(tmp_path, layout)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"),
        ("hmdb51_val_split_1.txt", "val"),
        ("labels.csv", None),
        ("train_and_val.csv", None),
        ("contest.csv", None),
    ],
)
def test_only_whole_words_in_a_file_name_are_splits(name: str, split: str | None) -> None:
    assert split_in_name(name) == split


def test_an_entry_says_where_it_was_written() -> None:
    assert Entry("a", 0, None, Path("x.csv"), 7).where == "x.csv:7"
    assert split_of(" Validation ") == "val"

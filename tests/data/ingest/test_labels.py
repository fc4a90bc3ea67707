"""Labels become 0..K-1 and names, or an error that gives file and line."""

from pathlib import Path

import pytest

from videomae_cli.data.ingest.labels import number_labels, read_classes
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError


def listed(*labels: int | str | None, split: str | None = "train") -> list[VideoEntry]:
    return [
        VideoEntry(f"{number}.mp4", label, split, Path("list.csv"), number + 1)
        for number, label in enumerate(labels)
    ]


def listed_once(label: int, class_name: str) -> VideoEntry:
    return VideoEntry("b", label, "train", Path("list.csv"), 2, class_name=class_name)


def test_names_are_numbered_in_alphabetical_order() -> None:
    assert number_labels(listed("run", "Jump", "run")) == ((1, 0, 1), ("Jump", "run"))


def test_numbers_without_names_are_their_own_names() -> None:
    assert number_labels(listed(1, 0, 1)) == ((1, 0, 1), ("0", "1"))


def test_names_beside_numbers_name_the_classes() -> None:
    entries = [entry._replace(class_name=f"n{entry.label}") for entry in listed(1, 0)]

    assert number_labels(entries).classes == ("n0", "n1")


def test_nothing_labelled_has_no_classes() -> None:
    assert number_labels(listed(None, None)) == ((None, None), None)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((0, 1, -1), r"list\.csv:3: label -1 is out of range"),
        ((0, 1, 7), r"list\.csv:3: label 7 is out of range: 3 different labels \(0, 1, 7\)"),
        ((1, 2, 1), r"list\.csv:2: label 2 is out of range"),
        ((0, None, 1), r"list\.csv:2: no label"),
        ((0, "run", 1), r"list\.csv:2: label 'run' is a name, but list\.csv:1 has a number, 0"),
    ],
)
def test_wrong_labels_are_named_by_file_and_line(
    labels: tuple[int | str | None, ...], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        number_labels(listed(*labels))


def test_a_label_that_no_training_video_has_is_out_of_range() -> None:
    entries = listed(0, 1) + [
        entry._replace(file=Path("val.csv")) for entry in listed(2, split="val")
    ]

    with pytest.raises(DataError, match=r"val\.csv:1: label 2 is out of range: no training video"):
        number_labels(entries)


def test_known_classes_allow_gaps_and_bound_the_range() -> None:
    classes = read_classes("10")

    assert number_labels(listed(3, 7), classes) == ((3, 7), tuple("0123456789"))
    with pytest.raises(DataError, match=r"list\.csv:1: label 10 is out of range: 10 classes"):
        number_labels(listed(10), classes)


def test_known_classes_fix_the_order_of_names() -> None:
    assert number_labels(listed("a", "b"), ("b", "a")).numbers == (1, 0)
    with pytest.raises(DataError, match=r"list\.csv:2: 'jumpp' is not one of") as caught:
        number_labels(listed("run", "jumpp"), ("run", "jump"))
    assert "'jump'" in caught.value.hint


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (
            VideoEntry("b", 0, "train", Path("list.csv"), 2, class_name="sit"),
            "label 0 is named 'sit' here",
        ),
        (
            VideoEntry("b", 1, "train", Path("list.csv"), 2, class_name="run"),
            "'run' has label 1 here",
        ),
    ],
)
def test_numbers_and_names_must_be_one_to_one(second: VideoEntry, words: str) -> None:
    first = VideoEntry("a", 0, "train", Path("list.csv"), 1, class_name="run")

    with pytest.raises(DataError, match=rf"list\.csv:2: {words}.*list\.csv:1"):
        number_labels([first, second])


def test_class_files_are_json_or_lines(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('["b", "a a"]')
    (tmp_path / "c.txt").write_text("b\na a\n\n")

    assert read_classes(str(tmp_path / "c.json")) == ("b", "a a")
    assert read_classes(str(tmp_path / "c.txt")) == ("b", "a a")


@pytest.mark.parametrize(
    ("name", "content"), [("c.txt", "a\na\n"), ("c.json", "{}"), ("c.json", "["), ("c.txt", "\n")]
)
def test_wrong_class_files_are_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(DataError, match=name):
        read_classes(str(tmp_path / name))
    with pytest.raises(DataError, match="gone"):
        read_classes(str(tmp_path / "gone.txt"))

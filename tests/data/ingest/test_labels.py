"""Labels become 0..K-1 and names, or an error that names file and line; splits stay put."""

from pathlib import Path

import pytest

from videomae_cli.data.ingest.labels import number_labels, read_classes
from videomae_cli.data.ingest.splits import random_split
from videomae_cli.data.layouts.entry import Entry
from videomae_cli.errors import DataError


def listed(*labels: int | str | None, split: str | None = "train") -> list[Entry]:
    return [
        Entry(f"{place}.mp4", label, split, Path("list.csv"), place + 1)
        for place, label in enumerate(labels)
    ]


def test_names_are_numbered_in_alphabetical_order() -> None:
    assert number_labels(listed("run", "Jump", "run")) == ((1, 0, 1), ("Jump", "run"))


def test_numbers_without_names_are_their_own_names() -> None:
    assert number_labels(listed(1, 0, 1)) == ((1, 0, 1), ("0", "1"))


def test_names_beside_numbers_name_the_classes() -> None:
    entries = [entry._replace(name=f"n{entry.label}") for entry in listed(1, 0)]

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
        (Entry("b", 0, "train", Path("list.csv"), 2, name="sit"), "label 0 is called 'sit' here"),
        (Entry("b", 1, "train", Path("list.csv"), 2, name="run"), "'run' has label 1 here"),
    ],
)
def test_numbers_and_names_must_belong_together(second: Entry, words: str) -> None:
    first = Entry("a", 0, "train", Path("list.csv"), 1, name="run")

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


PATHS = [f"{label}/{place}.mp4" for label in "ab" for place in range(20)]
LABELS = [0] * 20 + [1] * 20


def test_a_random_split_takes_the_same_share_of_every_class() -> None:
    splits = random_split(PATHS, LABELS, fraction=0.25, seed=0)

    assert [splits[:20].count("val"), splits[20:].count("val")] == [5, 5]
    assert splits != random_split(PATHS, LABELS, fraction=0.25, seed=1)


def test_a_random_split_does_not_follow_the_order_of_the_list() -> None:
    backwards = random_split(PATHS[::-1], LABELS[::-1], fraction=0.25, seed=0)

    assert backwards[::-1] == random_split(PATHS, LABELS, fraction=0.25, seed=0)


def test_a_new_video_moves_at_most_one_other() -> None:
    before = random_split(PATHS, LABELS, fraction=0.25, seed=0)

    for place in range(30):
        after = random_split([*PATHS, f"new{place}"], [*LABELS, 0], fraction=0.25, seed=0)
        assert sum(one != other for one, other in zip(before, after, strict=False)) <= 1


@pytest.mark.parametrize(
    ("videos", "fraction", "val"), [(1, 0.2, 0), (2, 0.2, 1), (3, 0.9, 2), (5, 0.0, 0)]
)
def test_small_classes_keep_a_video_on_both_sides(videos: int, fraction: float, val: int) -> None:
    splits = random_split(PATHS[:videos], [0] * videos, fraction=fraction, seed=0)

    assert splits.count("val") == val

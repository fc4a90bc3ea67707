"""Labels become 0..K-1 and names, or an error that gives file and line."""

from pathlib import Path

import pytest

from videomae_cli.data.labels.class_files import ClassNames, read_classes
from videomae_cli.data.labels.numbering import number_labels
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
    assert number_labels(listed("run", "Jump", "run"))[:2] == ((1, 0, 1), ("Jump", "run"))


def test_numbers_without_names_are_their_own_names() -> None:
    assert number_labels(listed(1, 0, 1))[:2] == ((1, 0, 1), ("0", "1"))


def test_names_beside_numbers_name_the_classes() -> None:
    entries = [entry._replace(class_name=f"n{entry.label}") for entry in listed(1, 0)]

    assert number_labels(entries).classes == ("n0", "n1")


def test_nothing_labelled_has_no_classes() -> None:
    assert number_labels(listed(None, None))[:2] == ((None, None), None)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((0, 1, -1), r"list\.csv:3: label -1 is out of range"),
        ((0, 1, 7), r"list\.csv:3: label 7 is out of range: 3 different labels \(0, 1, 7\)"),
        ((1, 2, 4), r"list\.csv:3: label 4 is out of range"),
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

    assert number_labels(listed(3, 7), classes)[:2] == ((3, 7), tuple("0123456789"))
    with pytest.raises(DataError, match=r"list\.csv:1: label 10 is out of range: 10 classes"):
        number_labels(listed(10), classes)


def test_known_classes_fix_the_order_of_names() -> None:
    assert number_labels(listed("a", "b"), ClassNames(("b", "a"))).numbers == (1, 0)
    with pytest.raises(DataError, match=r"list\.csv:2: 'jumpp' is not one of") as caught:
        number_labels(listed("run", "jumpp"), ClassNames(("run", "jump")))
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


def test_numbers_from_one_are_classes_from_zero_and_said() -> None:
    labels = number_labels(listed(1, 2, 3, 1))

    assert labels[:2] == ((0, 1, 2, 0), ("1", "2", "3"))
    assert labels.remark.startswith("labels count from 1: label 1 becomes class 0")


def test_names_that_are_numbers_are_in_numerical_order() -> None:
    names = [str(number) for number in (10, 9, 0, 11, 2, 10, 2, 2)]

    assert number_labels(listed(*names))[:2] == (
        (3, 2, 0, 4, 1, 3, 1, 1),
        ("0", "2", "9", "10", "11"),
    )


def test_a_test_set_may_have_no_labels() -> None:
    for unknown in (None, -1):
        entries = listed(0, 1) + listed(unknown, unknown, split="test")

        assert number_labels(entries)[:2] == ((0, 1, None, None), ("0", "1"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("0.5", "1", "0.25"), r"list\.csv:1: label 0\.5 .* scores"),
        (("jump,run", "run", "sit"), r"list\.csv:1: 'jump,run': several labels"),
        (("sit", "['a', 'b']"), r"list\.csv:2: .*several labels"),
        (("sit", "0 1"), r"list\.csv:2: '0 1': several labels"),
        (("walk | run", "run | sit", "walk", "sit"), r"list\.csv:1: .*several labels"),
        (tuple("abcdef"), "6 videos have 6 labels"),
        (tuple(range(7)), "7 videos have 7 labels"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    labels: tuple[int | str | None, ...], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        number_labels(listed(*labels))


def test_names_with_commas_are_classes_if_their_parts_do_not_recur_or_they_are_given() -> None:
    names = ("Lifting something, then dropping it", "Lifting something", "Putting a, b and c down")
    classes = ClassNames(("a,b", "b,c"))

    assert number_labels(listed(*names)).classes == tuple(sorted(names))
    assert number_labels(listed("a,b", "b,c", "a,b"), classes).numbers == (0, 1, 0)


CLASS_FILES = {
    "json list": '["jump", "run fast", "sit"]',
    "json from 0": '{"0": "jump", "1": "run fast", "2": "sit"}',
    "json to number": '{"sit": 2, "jump": 0, "run fast": "1"}',
    "hugging face": '{"id2label": {"0": "jump", "1": "run fast", "2": "sit"}, "x": 1}',
    "lines": "jump\nrun fast\n\nsit\n",
    "kinetics": "id,name\n0,jump\n1,run fast\n2,sit\n",
    "kinetics swapped": "name,id\njump,0\nrun fast,1\nsit,2\n",
    "index first": "0 jump\n1 run fast\n2 sit\n",
    "index last": "jump 0\nsit 2\nrun fast 1\n",
    "tabs, from 1": "1\tjump\n2\trun fast\n3\tsit\n",
    "ucf": "1 jump\n2 run fast\n3 sit\n",
    "pbtxt": 'item {\n  name: "jump"\n  id: 1\n}\nitem { id: 2 name: "run fast" }\n'
    'item {\n  id: 3\n  name: "sit"\n}\n',
}


@pytest.mark.parametrize("form", CLASS_FILES)
def test_class_files_of_all_forms_are_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "c").write_text(CLASS_FILES[form])

    classes = read_classes(str(tmp_path / "c"))

    assert classes.names == ("jump", "run fast", "sit")
    first = None if form in ("json list", "lines") else 0
    assert classes.first == (1 if form in ("tabs, from 1", "ucf", "pbtxt") else first)


def test_names_in_a_pbtxt_may_be_escaped_and_contain_braces(tmp_path: Path) -> None:
    (tmp_path / "map.pbtxt").write_text(
        'item { id: 1 name: "the \\"V\\" sign" }\n'
        "item { id: 2 name: 'don\\'t {id: 9}' }\n"
        'item { id: 3 name: "\\303\\251ternuer, é" }\n'
    )

    names = read_classes(str(tmp_path / "map.pbtxt")).names

    assert names == ('the "V" sign', "don't {id: 9}", "éternuer, é")


def test_a_doubled_quote_in_a_quoted_name_is_one(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('id,name\n0,"the ""V"" sign"\n1,"sit, then stand"\n')

    assert read_classes(str(tmp_path / "labels.csv")).names == ('the "V" sign', "sit, then stand")


def test_labels_are_counted_as_in_the_class_file(tmp_path: Path) -> None:
    (tmp_path / "classInd.txt").write_text("1 a\n2 b\n3 c\n")
    classes = read_classes(str(tmp_path / "classInd.txt"))

    assert number_labels(listed(1, 3), classes).numbers == (0, 2)
    with pytest.raises(DataError, match=r"list\.csv:1: label 0, but the classes .* from 1"):
        number_labels(listed(0, 2), classes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.txt", "a\na\n"),
        ("c.json", "{}"),
        ("c.json", "["),
        ("c.txt", "\n"),
        ("c.txt", "name\nrun\nsit\n"),
        ("c.txt", "0 run\n1 sit\njump\n"),
        ("c.txt", "0 run\n2 sit\n"),
        ("c.txt", "5 run\n6 sit\n"),
        ("c.json", '{"0": "run", "2": "sit"}'),
    ],
)
def test_wrong_class_files_are_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(DataError, match=name):
        read_classes(str(tmp_path / name))
    with pytest.raises(DataError, match="gone"):
        read_classes(str(tmp_path / "gone.txt"))

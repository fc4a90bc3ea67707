"""Several labels or values per video, in every form in which lists and tables write them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from videomae_cli.config.model import Task
from videomae_cli.data.ingest.list_checks import check_no_duplicates
from videomae_cli.data.labels.class_files import ClassNames
from videomae_cli.data.labels.numbering import Labels
from videomae_cli.data.labels.targets import merge_repeated, read_targets
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError

MULTI: Task = "multi-label"


def read(
    folder: Path,
    text: str,
    task: Task = MULTI,
    columns: str | None = None,
    classes: Sequence[str] | None = None,
) -> Labels:
    file = folder / ("list.csv" if "," in text.split("\n")[0] else "list.txt")
    file.write_text(text)
    reading = Reading(label_column=columns, task=task)
    listing = scan_layout(file, detect_layout(file, reading).name, reading)
    entries = merge_repeated(listing.entries) if task == MULTI else list(listing.entries)
    check_no_duplicates(entries, folder)
    given = None if classes is None else ClassNames(tuple(classes), is_file=True)
    return read_targets(entries, listing.label_names, task, given)


AB_A_NONE = ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize(
    "text",
    [
        "path,label\n1.mp4,a|b\n2.mp4,a\n3.mp4,-\n",
        "path,label\n1.mp4,a;b\n2.mp4,a;\n3.mp4,-\n",
        'path,label\n1.mp4,"a, b"\n2.mp4,a\n3.mp4,-\n',
        "path,label\n1.mp4,\"['a', 'b']\"\n2.mp4,['a']\n3.mp4,[]\n",
        'path,label\n1.mp4,"[a, b]"\n2.mp4,[a]\n3.mp4,[]\n',
        'path,label\n1.mp4,"[""b"", ""a""]"\n2.mp4,a\n3.mp4,[]\n',
        "path,a,b\n1.mp4,1,1\n2.mp4,1,0\n3.mp4,0,0\n",
        "path,label,a,b\n1.mp4,1,1,1\n2.mp4,0,1,0\n3.mp4,0,0,0\n",
        "path,label\n1.mp4,a\n1.mp4,b\n2.mp4,a\n3.mp4,-\n",
        "1.mp4 a|b\n2.mp4 a\n3.mp4 -\n",
        "1.mp4,a,b\n2.mp4,a\n3.mp4,-\n",
    ],
    ids=lambda text: text.split("\n")[1],
)
def test_two_classes_one_and_none_are_read_in_every_form(tmp_path: Path, text: str) -> None:
    labels = read(tmp_path, text)

    assert labels.classes is not None and labels.targets is not None
    keep = [labels.classes.index(name) for name in ("a", "b")]
    assert [tuple(row[n] for n in keep) for row in labels.targets if row] == list(AB_A_NONE)


def test_numbers_are_indices_as_in_the_lists_of_mmaction2(tmp_path: Path) -> None:
    labels = read(tmp_path, "1.mp4 0 2\n2.mp4 1\n3.mp4 2 1 0\n")

    assert labels.classes == ("0", "1", "2")
    assert labels.targets == ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0))


def test_numbers_of_one_cell_may_be_separated_by_blanks(tmp_path: Path) -> None:
    labels = read(tmp_path, "path,label\n1.mp4,0 1\n2.mp4,1\n")

    assert labels.targets == ((1.0, 1.0), (0.0, 1.0))


def test_two_columns_can_contain_names(tmp_path: Path) -> None:
    labels = read(
        tmp_path, "path,first,second\n1.mp4,run,jump\n2.mp4,run,\n", columns="first,second"
    )

    assert labels.classes == ("jump", "run")
    assert labels.targets == ((1.0, 1.0), (0.0, 1.0))


def test_given_classes_decide_the_order_and_may_contain_separators(tmp_path: Path) -> None:
    labels = read(tmp_path, "path,label\n1.mp4,salsa;x\n2.mp4,x\n", classes=["x", "salsa;x"])

    assert labels.targets == ((0.0, 1.0), (1.0, 0.0))


def test_a_test_set_may_be_without_labels(tmp_path: Path) -> None:
    labels = read(tmp_path, "path,label,split\n1.mp4,a|b,train\n2.mp4,b,train\n3.mp4,,test\n")

    assert labels.targets is not None and labels.targets[2] is None
    assert "1 video of the test set has no label" in labels.remark


@pytest.mark.parametrize(
    ("text", "columns", "classes", "message"),
    [
        ("path,label\n1.mp4,a|b\n2.mp4,\n", None, None, r":3: no label, but others"),
        ("path,label\n1.mp4,a||b\n2.mp4,a\n", None, None, r":2: .*an empty label"),
        ("path,label\n1.mp4,a|a\n2.mp4,a\n", None, None, r":2: .*'a' is given twice"),
        ("path,label\n1.mp4,a|b\n2.mp4,a;b\n", None, None, r":3: is 'a;b' one label or several"),
        ('path,label\n1.mp4,a|b\n2.mp4,"a,b"\n', None, None, r":3: is 'a,b' one label or several"),
        ("path,label\n1.mp4,0|1\n2.mp4,1|jump\n", None, None, r":3: label 'jump' is a name"),
        ("path,label\n1.mp4,0|7\n2.mp4,1\n", None, None, r":2: label 7 is out of range"),
        ("path,label\n1.mp4,a|c\n2.mp4,b\n", None, ["a", "b"], r":2: 'c' is not one of the 2"),
        ("path,a,b\n1.mp4,1,1\n2.mp4,,0\n", "a,b", None, r":3: no value in the column a"),
        (
            "path,a,b\n1.mp4,1,1\n2.mp4,0,0\n",
            "a,b",
            ["a", "c"],
            r"columns a, b are not the classes",
        ),
        ("path,label\n1.mp4,-\n2.mp4,-\n", None, None, r":2: no video has any class"),
        ("path,note\n1.mp4,x\n2.mp4,y\n", None, None, r"no labels found for --task multi-label"),
        ("1.mp4 0 0 1\n2.mp4 1 0 1\n", None, None, r":1: .*'0' is given twice"),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)
def test_wrong_labels_are_refused_with_their_line(
    tmp_path: Path, text: str, columns: str | None, classes: list[str] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, MULTI, columns, classes)


@pytest.mark.parametrize(
    ("text", "columns", "names", "targets"),
    [
        ("path,speed\n1.mp4,0.5\n2.mp4,2\n", "speed", ("speed",), ((0.5,), (2.0,))),
        (
            "path,x,y\n1.mp4,0.5,1\n2.mp4,2e1,-3\n",
            "x,y",
            ("x", "y"),
            ((0.5, 1.0), (20.0, -3.0)),
        ),
        ("path,label\n1.mp4,1|2\n2.mp4,3|5\n", None, ("label 0", "label 1"), ((1, 2), (3, 5))),
        ("1.mp4 0.5\n2.mp4 1e-3\n", None, ("value",), ((0.5,), (0.001,))),
        ("1.mp4,0.5,1\n2.mp4,2,3\n", None, ("value 0", "value 1"), ((0.5, 1), (2, 3))),
    ],
)
def test_values_are_read_from_one_column_or_several(
    tmp_path: Path, text: str, columns: str, names: tuple[str, ...], targets: object
) -> None:
    labels = read(tmp_path, text, "regression", columns)

    assert (labels.classes, labels.targets) == (names, targets)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("path,label\n1.mp4,0.5\n2.mp4,inf\n", None, r":3: the value inf is not finite"),
        ("1.mp4 0.5\n2.mp4 nan\n3.mp4 1\n", None, r":2: no label"),
        ("path,label\n1.mp4,0.5\n2.mp4,\n", None, r":3: no label, but others"),
        ("path,x,y\n1.mp4,1,2\n2.mp4,3,\n", "x,y", r":3: no value"),
        ("path,label\n1.mp4,0.5\n2.mp4,fast\n", None, r":3: 'fast' is not a number"),
        ("path,label\n1.mp4,1|2\n2.mp4,3\n", None, r":3: 1 value, but .*:2 has 2"),
        ("path,label\n1.mp4,3.5\n2.mp4,3.5\n", None, r":2: 'label' is 3.5 for all 2 training"),
        (
            'path,label\n1.mp4,"1,5"\n2.mp4,"2,5"\n',
            None,
            r":2: '1,5': a number with a decimal comma",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)
def test_wrong_values_are_refused_with_their_line(
    tmp_path: Path, text: str, columns: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, "regression", columns)


def test_several_label_columns_of_one_label_are_refused_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "path,x,y\n1.mp4,1,2\n", "single-label", "x,y")
    assert "--task multi-label or --task regression" in (caught.value.hint or "")

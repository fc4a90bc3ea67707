"""Convert the labels of a list to numbers 0..K-1 and K class names.

Names are numbered in alphabetical order, as in Kinetics; names that are all numbers, in numerical
order. Numbers must run from 0 or from 1 without gaps, and each must occur in the training videos,
unless the classes are given: then every label must be one of the classes. Only the videos of a test
set may be without labels, all of them.
"""

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from videomae_cli.data.labels.checks import check_labels
from videomae_cli.data.labels.class_files import ClassNames
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.units import plural

GIVE_CLASSES = "renumber from 0, or give the classes: --classes FILE or --classes NUMBER"
NO_LABEL = -1  # written for the videos of a test set


class Labels(NamedTuple):
    """The labels of a data set: one per entry, and the names; None if it is not labelled."""

    numbers: tuple[int | None, ...]
    classes: tuple[str, ...] | None
    remark: str = ""
    """What was done to the labels, if they were changed."""
    targets: tuple[tuple[float, ...] | None, ...] | None = None
    """Targets of all entries, if the task is not `single-label`; the numbers are then None."""


def number_labels(entries: Sequence[VideoEntry], classes: ClassNames | None = None) -> Labels:
    """Return each entry's number and the class names; a DataError names the line of a bad label."""
    entries = [entry._replace(label=None) if _is_unknown(entry) else entry for entry in entries]
    labelled = [entry for entry in entries if entry.label is not None]
    if not labelled:
        return Labels((None,) * len(entries), None)
    _check_all_labelled(entries)
    names_given = set() if classes is None else set(classes.names)
    if not all(str(entry.label) in names_given for entry in labelled):
        check_labels(labelled)
    if isinstance(labelled[0].label, int):
        numbers = [(entry, int(entry.label)) for entry in labelled if entry.label is not None]
        labels = number_numbers(numbers, classes)
    else:
        labels = number_names([(entry, str(entry.label)) for entry in labelled], classes)
    known = iter(labels.numbers)
    all_numbers = tuple(None if entry.label is None else next(known) for entry in entries)
    for name in labels.classes or ():
        check_writable(name)
    unknown = sum(entry.label is None and not entry.rejection for entry in entries)
    similar = describe_similar(labels.classes or ())
    verb = "has" if unknown == 1 else "have"
    tests = [f"{plural(unknown)} of the test set {verb} no label"] * (unknown > 0)
    return Labels(
        all_numbers, labels.classes, "; ".join(filter(None, [labels.remark, *similar, *tests]))
    )


def describe_similar(names: Sequence[str]) -> list[str]:
    """Return a sentence about classes whose names differ in what is hardly seen, as in case."""
    groups = defaultdict(list)
    for name in names:
        text = unicodedata.normalize("NFKC", name).casefold()
        seen = "".join(c for c in text if unicodedata.category(c) != "Cf" and not c.isspace())
        groups[seen.replace("_", "").replace("-", "")].append(name)
    pairs = [" and ".join(map(ascii, group)) for group in groups.values() if len(group) > 1]
    return [f"different classes with almost the same name: {join_some(pairs)}"] * bool(pairs)


def _is_unknown(entry: VideoEntry) -> bool:
    return bool(entry.rejection) or (entry.split == "test" and entry.label == NO_LABEL)


def _check_all_labelled(entries: Sequence[VideoEntry]) -> None:
    """Check that all have labels, except test videos, and that all are names or all numbers."""
    numbered = [entry for entry in entries if isinstance(entry.label, int)]
    labelled_tests = [e for e in entries if e.split == "test" and e.label is not None]
    for entry in entries:
        if entry.rejection:
            continue
        if entry.label is None and (entry.split != "test" or labelled_tests):
            raise DataError(
                f"{entry.where}: no label, but others have one",
                "label all videos, or none; a test set may be without labels, all of it",
            )
        if entry.label is not None and numbered and not isinstance(entry.label, int):
            raise DataError(
                f"{entry.where}: label {entry.label!r} is a name, but {numbered[0].where} has a "
                f"number, {numbered[0].label}",
                "use numbers for all labels, or names for all labels",
            )


def number_names(labels: Sequence[tuple[VideoEntry, str]], classes: ClassNames | None) -> Labels:
    """Return the numbers of labels that are names; a DataError if one is not a class."""
    names = sort_names({name for _, name in labels}) if classes is None else classes.names
    number = {name: number for number, name in enumerate(names)}
    for entry, name in labels:
        if name not in number:
            similar = difflib.get_close_matches(name, names, n=1)
            raise DataError(
                f"{entry.where}: {name!r} is not one of the {len(names)} classes",
                f"did you mean {similar[0]!r}?" if similar else "",
            )
    return Labels(tuple(number[name] for _, name in labels), tuple(names))


def sort_names(names: set[str]) -> tuple[str, ...]:
    """Return class names in numerical order if all are whole numbers, else alphabetically."""
    numbers = {name: parse_integer(name) for name in names}
    if None in numbers.values():
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (numbers[name] or 0, name)))


def number_numbers(labels: Sequence[tuple[VideoEntry, int]], classes: ClassNames | None) -> Labels:
    """Return numbers that begin with 0; a DataError if there are gaps, or one is no class."""
    names = _names_of_numbers(labels)
    first, remark = _find_first(labels, classes)
    if classes is None:
        _check_range(labels, first)
        count = 1 + max(label for _, label in labels) - first
        given = [str(label) for label in range(first, first + count)]
    else:
        given = list(classes.names)
    # a class that is named by its number gets the name from the list, if there is one
    final = [
        names.get(label, name) if name == str(label) else name
        for label, name in enumerate(given, start=first)
    ]
    for entry, label in labels:
        if not first <= label < first + len(final):
            raise DataError(
                f"{entry.where}: label {label} is out of range: {len(final)} classes are "
                f"numbered {first} to {first + len(final) - 1}"
            )
        if entry.class_name and entry.class_name != final[label - first]:
            raise DataError(
                f"{entry.where}: label {label} is named {entry.class_name!r} here, but "
                f"{final[label - first]!r} in --classes"
            )
    return Labels(tuple(label - first for _, label in labels), tuple(final), remark)


def _find_first(
    labels: Sequence[tuple[VideoEntry, int]], classes: ClassNames | None
) -> tuple[int, str]:
    """Return the number of the first class, 0 or 1, and a remark if it is 1."""
    used = {label for _, label in labels}
    if classes is not None:
        count = len(classes.names)
        if classes.is_file and classes.first is None and used == set(range(count - 1)) != {0}:
            raise DataError(
                f"{classes.source}: {count} names, but the labels are 0 to {count - 2}: is the "
                f"first, {classes.names[0]!r}, a header?",
                "remove the line; or, if a class has no videos, write `INDEX NAME` in all lines",
            )
        is_one = classes.first == 1 or (classes.first is None and used == set(range(1, count + 1)))
        if classes.first == 1 and 0 in used:
            entry = next(entry for entry, label in labels if label == 0)
            raise DataError(
                f"{entry.where}: label 0, but the classes in {classes.source} are numbered from 1",
                "number both from 0, or both from 1",
            )
    else:
        count = len(used)
        is_one = used == set(range(1, count + 1)) and count > 1
    if not is_one:
        return 0, ""
    return 1, f"labels count from 1: label 1 becomes class 0, ..., label {count} class {count - 1}"


def _check_range(labels: Sequence[tuple[VideoEntry, int]], first: int) -> None:
    """Check that labels have no gaps, and that each occurs in the training videos."""
    used = {label for _, label in labels}
    trained = {label for entry, label in labels if entry.split in (None, "train")}
    for entry, label in labels:
        if label < first or label >= len(used) + first:
            shown = ", ".join(str(value) for value in sorted(used)[:6])
            raise DataError(
                f"{entry.where}: label {label} is out of range: {len(used)} different labels "
                f"({shown}{', ...' if len(used) > 6 else ''}) should be 0 to {len(used) - 1}",
                GIVE_CLASSES,
            )
        if trained and label not in trained:
            raise DataError(
                f"{entry.where}: label {label} is out of range: no training video has it",
                GIVE_CLASSES,
            )


def _names_of_numbers(labels: Sequence[tuple[VideoEntry, int]]) -> Mapping[int, str]:
    """Return the class name of each number, if a column gives them, one to one."""
    by_number: dict[int, VideoEntry] = {}
    by_name: dict[str, VideoEntry] = {}
    for entry, label in labels:
        if not entry.class_name:
            continue
        first = by_number.setdefault(label, entry)
        if first.class_name != entry.class_name:
            raise DataError(
                f"{entry.where}: label {label} is named {entry.class_name!r} here, but "
                f"{first.class_name!r} in {first.where}"
            )
        first = by_name.setdefault(entry.class_name, entry)
        if first.label != label:
            raise DataError(
                f"{entry.where}: {entry.class_name!r} has label {label} here, but {first.label} in "
                f"{first.where}"
            )
    return {label: entry.class_name for label, entry in by_number.items()}


def check_writable(name: str) -> None:
    """Raise a DataError if a name is not valid text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the class name '{name}' is not valid text",
            "rename the folder in UTF-8, or give the encoding of the list: --encoding NAME",
        ) from error

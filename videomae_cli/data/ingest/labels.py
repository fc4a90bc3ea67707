"""Convert the labels of a list to numbers 0..K-1 and K class names.

Names are numbered in alphabetical order, as in Kinetics. Numbers must start at 0, without gaps, and
each must occur in the training videos, unless the classes are given: then every label must be one
of the classes.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import ENCODING_ERRORS
from videomae_cli.errors import DataError

GIVE_CLASSES = "renumber from 0, or give the classes: --classes FILE or --classes NUMBER"


class Labels(NamedTuple):
    """The labels of a data set: one per entry, and the names; None if it is not labelled."""

    numbers: tuple[int | None, ...]
    classes: tuple[str, ...] | None


def number_labels(entries: Sequence[VideoEntry], classes: Sequence[str] | None = None) -> Labels:
    """Return each entry's number and the class names; a DataError names the line of a bad label."""
    if all(entry.label is None for entry in entries):
        return Labels((None,) * len(entries), None)
    numbered = [(entry, entry.label) for entry in entries if isinstance(entry.label, int)]
    for entry in entries:
        if entry.label is None:
            raise DataError(
                f"{entry.where}: no label, but others have one", "label all videos or none"
            )
        if numbered and not isinstance(entry.label, int):
            raise DataError(
                f"{entry.where}: label {entry.label!r} is a name, but {numbered[0][0].where} has a "
                f"number, {numbered[0][1]}",
                "use numbers for all labels, or names for all labels",
            )
    if numbered:
        return _check_numbers(numbered, classes)
    return _number_names([(entry, str(entry.label)) for entry in entries], classes)


def read_classes(text: str) -> tuple[str, ...]:
    """Read class names: a number of classes, a JSON list, or a text file with a name per line.

    Raises:
        DataError: It is neither a number nor a file with names, or a name occurs twice.
    """
    if text.isdecimal():
        return tuple(str(number) for number in range(int(text)))
    path = Path(text)
    try:
        content = path.read_text(encoding="utf-8-sig", errors=ENCODING_ERRORS)
        names = json.loads(content) if path.suffix == ".json" else content.splitlines()
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}", "--classes takes a file or a number"
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: expected a list of names")
    names = [name.strip() for name in names if name.strip()]
    duplicate = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if duplicate is not None or not names:
        raise DataError(f"{path}: {f'{duplicate!r} occurs twice' if names else 'no names'}")
    return tuple(names)


def _number_names(
    labels: Sequence[tuple[VideoEntry, str]], classes: Sequence[str] | None
) -> Labels:
    names = tuple(sorted({name for _, name in labels}) if classes is None else classes)
    number = {name: number for number, name in enumerate(names)}
    for entry, name in labels:
        if name not in number:
            similar = difflib.get_close_matches(name, names, n=1)
            raise DataError(
                f"{entry.where}: {name!r} is not one of the {len(names)} classes",
                f"did you mean {similar[0]!r}?" if similar else "",
            )
    return Labels(tuple(number[name] for _, name in labels), names)


def _check_numbers(
    labels: Sequence[tuple[VideoEntry, int]], classes: Sequence[str] | None
) -> Labels:
    names = _names_of_numbers(labels)
    if classes is None:
        _check_range(labels)
        count = 1 + max(label for _, label in labels)
        classes = [str(label) for label in range(count)]
    # a class that is named by its number gets the name from the list, if there is one
    classes = [
        names.get(label, name) if name == str(label) else name for label, name in enumerate(classes)
    ]
    for entry, label in labels:
        if not 0 <= label < len(classes):
            raise DataError(
                f"{entry.where}: label {label} is out of range: {len(classes)} classes are "
                f"numbered 0 to {len(classes) - 1}"
            )
        if entry.class_name and entry.class_name != classes[label]:
            raise DataError(
                f"{entry.where}: label {label} is named {entry.class_name!r} here, but "
                f"{classes[label]!r} in --classes"
            )
    return Labels(tuple(label for _, label in labels), tuple(classes))


def _check_range(labels: Sequence[tuple[VideoEntry, int]]) -> None:
    """Check that labels are 0..K-1, and that each occurs in the training videos."""
    used = {label for _, label in labels}
    trained = {label for entry, label in labels if entry.split in (None, "train")}
    for entry, label in labels:
        if label < 0 or label >= len(used):
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

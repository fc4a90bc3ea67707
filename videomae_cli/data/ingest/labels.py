"""From the labels as written to numbers 0..K-1 and K names, or an error that names file and line.

Names are numbered in alphabetical order, as Kinetics does. Numbers must run from 0 without a gap
and none may first turn up outside the training videos, unless the classes are given: then a label
is right when the classes have it.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.entry import Entry
from videomae_cli.data.manifest import ENCODING_ERRORS
from videomae_cli.errors import DataError

GIVE_CLASSES = "renumber from 0, or say what the classes are: --classes FILE or --classes NUMBER"


class Labels(NamedTuple):
    """One label per entry (None: not labelled), and the class names (None: nothing labelled)."""

    numbers: tuple[int | None, ...]
    classes: tuple[str, ...] | None


def number_labels(entries: Sequence[Entry], classes: Sequence[str] | None = None) -> Labels:
    """Give every entry its number.

    Args:
        entries: All entries of a data set.
        classes: The class names in order, where the user knows them.

    Raises:
        DataError: A label is missing, out of range, unknown or contradicts another; the message
            names file and line.
    """
    written = [entry.label for entry in entries]
    if all(label is None for label in written):
        return Labels((None,) * len(entries), None)
    numbered = [(entry, entry.label) for entry in entries if isinstance(entry.label, int)]
    for entry in entries:
        if entry.label is None:
            raise DataError(f"{entry.where}: no label, but others have one", "label all or none")
        if numbered and not isinstance(entry.label, int):
            raise DataError(
                f"{entry.where}: label {entry.label!r} is a name, but {numbered[0][0].where} has a "
                f"number, {numbered[0][1]}",
                "write numbers everywhere or names everywhere",
            )
    if numbered:
        return _check_numbers(numbered, classes)
    return _number_names([(entry, str(entry.label)) for entry in entries], classes)


def read_classes(text: str) -> tuple[str, ...]:
    """Read class names: a number of classes, a JSON list, or a text file with a name per line.

    Raises:
        DataError: Neither a number nor a file with names, or a name comes twice.
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
    doubled = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if doubled is not None or not names:
        raise DataError(f"{path}: {f'{doubled!r} comes twice' if names else 'no names'}")
    return tuple(names)


def _number_names(labels: Sequence[tuple[Entry, str]], classes: Sequence[str] | None) -> Labels:
    names = tuple(sorted({name for _, name in labels}) if classes is None else classes)
    number = {name: number for number, name in enumerate(names)}
    for entry, name in labels:
        if name not in number:
            near = difflib.get_close_matches(name, names, n=1)
            raise DataError(
                f"{entry.where}: {name!r} is not one of the {len(names)} classes",
                f"did you mean {near[0]!r}?" if near else "",
            )
    return Labels(tuple(number[name] for _, name in labels), names)


def _check_numbers(labels: Sequence[tuple[Entry, int]], classes: Sequence[str] | None) -> Labels:
    names = _names_beside(labels)
    if classes is None:
        _check_range(labels)
        count = 1 + max(label for _, label in labels)
        classes = [str(label) for label in range(count)]
    # a bare number as a name waits for a better one
    classes = [
        names.get(label, name) if name == str(label) else name for label, name in enumerate(classes)
    ]
    for entry, label in labels:
        if not 0 <= label < len(classes):
            raise DataError(
                f"{entry.where}: label {label} is out of range: {len(classes)} classes are "
                f"numbered 0 to {len(classes) - 1}"
            )
        if entry.name and entry.name != classes[label]:
            raise DataError(
                f"{entry.where}: label {label} is called {entry.name!r} here, but --classes calls "
                f"it {classes[label]!r}"
            )
    return Labels(tuple(label for _, label in labels), tuple(classes))


def _check_range(labels: Sequence[tuple[Entry, int]]) -> None:
    """Refuse numbers that no class can have: negative, after a gap, or outside training only."""
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


def _names_beside(labels: Sequence[tuple[Entry, int]]) -> Mapping[int, str]:
    """Return the name of each number, where a column gives them, one to one."""
    by_number: dict[int, Entry] = {}
    by_name: dict[str, Entry] = {}
    for entry, label in labels:
        if not entry.name:
            continue
        first = by_number.setdefault(label, entry)
        if first.name != entry.name:
            raise DataError(
                f"{entry.where}: label {label} is called {entry.name!r} here, but {first.name!r} "
                f"in {first.where}"
            )
        first = by_name.setdefault(entry.name, entry)
        if first.label != label:
            raise DataError(
                f"{entry.where}: {entry.name!r} has label {label} here, but {first.label} in "
                f"{first.where}"
            )
    return {label: entry.name for label, entry in by_number.items()}

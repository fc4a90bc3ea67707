"""Read the targets of a data set with several labels, or with values, per video.

Shapes: K classes or values.
"""

import math
import os
from collections.abc import Sequence

from videomae_cli.config.model import Task
from videomae_cli.data.labels.cells import (
    Cells,
    are_numbers,
    read_one_hot,
    read_values,
    split_labels,
)
from videomae_cli.data.labels.class_files import ClassNames
from videomae_cli.data.labels.numbering import (
    Labels,
    check_writable,
    describe_similar,
    number_names,
    number_numbers,
)
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.units import plural

Targets = list[tuple[float, ...]]


def read_targets(
    entries: Sequence[VideoEntry],
    names: Sequence[str],
    task: Task,
    classes: ClassNames | None = None,
) -> Labels:
    """Return the target of each entry, and the names of the classes or of the values.

    `names` are those of the label columns. Videos of a test set may be without labels, all of them.

    Raises:
        DataError: A label is missing or wrong; the line is named.
    """
    labelled = _find_labelled(entries, task)
    if task == "multi-label":
        targets, given, remark = _read_classes(labelled, names, classes)
    else:
        targets, given, remark = _read_values(labelled, names, classes)
    for name in given:
        check_writable(name)
    known = dict(zip((id(entry) for entry, _ in labelled), targets, strict=True))
    rows = tuple(known.get(id(entry)) for entry in entries)
    unknown = sum(row is None and not e.rejection for e, row in zip(entries, rows, strict=True))
    verb = "has" if unknown == 1 else "have"
    tests = [f"{plural(unknown)} of the test set {verb} no label"] * (unknown > 0)
    remarks = [remark, *(describe_similar(given) if task == "multi-label" else ()), *tests]
    return Labels((None,) * len(entries), given, "; ".join(filter(None, remarks)), rows)


def merge_repeated(entries: Sequence[VideoEntry]) -> list[VideoEntry]:
    """Join the labels of rows of the same video and split: one row per label of a video."""
    groups: dict[tuple[str, Segment | None, str | None], list[VideoEntry]] = {}
    for entry in entries:
        key = os.path.normpath(entry.path), entry.segment, entry.split
        groups.setdefault(key, []).append(entry)
    return [one for group in groups.values() for one in _merge(group)]


def _merge(group: Sequence[VideoEntry]) -> Sequence[VideoEntry]:
    """Return one entry, or all if they are no rows of one different label each."""
    cells = [cell for entry in group for cell in entry.cells or ()]
    if len(group) == 1 or len(cells) != len(group) or len(set(cells)) < len(cells):
        return group
    return [group[0]._replace(cells=tuple(cells))]


def _find_labelled(entries: Sequence[VideoEntry], task: Task) -> list[Cells]:
    """Return the entries with labels; a DataError if one without a label is not of a test set."""
    readable = [entry for entry in entries if not entry.rejection]
    labelled = [(e, e.cells) for e in readable if e.cells is not None and any(e.cells)]
    if not labelled:
        where = readable[0].where if readable else entries[0].where
        raise DataError(
            f"{where}: no labels found for --task {task}",
            "give a table with named columns (--label-column), or a list of `path label ...`; "
            "folders give one class per video: omit --task",
        )
    has_labelled_tests = any(entry.split == "test" for entry, _ in labelled)
    known = {id(entry) for entry, _ in labelled}
    for entry in readable:
        if id(entry) not in known and (entry.split != "test" or has_labelled_tests):
            none = "; write - for a video with none of the classes" * (task == "multi-label")
            raise DataError(
                f"{entry.where}: no label, but others have one",
                f"label all videos; a test set may be without labels, all of it{none}",
            )
    return labelled


def _read_classes(
    labelled: Sequence[Cells], names: Sequence[str], classes: ClassNames | None
) -> tuple[Targets, tuple[str, ...], str]:
    one_hot = read_one_hot(labelled, names)
    if one_hot is not None:
        order = _order_columns(labelled, names, classes)
        remark = f"classes from columns of 0 and 1: {join_some(names)}"
        return (
            [tuple(row[n] for n in order) for row in one_hot],
            tuple(names[n] for n in order),
            remark,
        )
    rows = split_labels(labelled, () if classes is None else classes.names)
    pairs = [(e, part) for (e, _), parts in zip(labelled, rows, strict=True) for part in parts]
    if not pairs:
        raise DataError(f"{labelled[0][0].where}: no video has any class", "check the label column")
    is_named = classes is not None and all(part in classes.names for _, part in pairs)
    if are_numbers(labelled, rows) and not (is_named and classes and classes.is_file):
        numbers = [(entry, parse_integer(part) or 0) for entry, part in pairs]
        result = number_numbers(numbers, classes)
    else:
        result = number_names(pairs, classes)
    given, flat = result.classes or (), iter(result.numbers)
    targets = []
    for parts in rows:
        own = {next(flat) for _ in parts}
        targets.append(tuple(float(label in own) for label in range(len(given))))
    single = "no video has more than one class: is this --task single-label?"
    has_several = any(len(parts) > 1 for parts in rows)
    return targets, given, "; ".join(filter(None, [result.remark, single * (not has_several)]))


def _order_columns(
    labelled: Sequence[Cells], names: Sequence[str], classes: ClassNames | None
) -> Sequence[int]:
    """Return the numbers of one-hot columns in the order of the given classes."""
    if classes is None:
        return range(len(names))
    if not classes.is_file and len(classes.names) == len(names):
        return range(len(names))
    if sorted(classes.names) != sorted(names):
        raise DataError(
            f"{labelled[0][0].where}: the columns {', '.join(names)} are not the classes of "
            f"{classes.source}: {', '.join(classes.names)}",
            "give the same names, or omit --classes",
        )
    return [names.index(name) for name in classes.names]


def _read_values(
    labelled: Sequence[Cells], names: Sequence[str], classes: ClassNames | None
) -> tuple[Targets, tuple[str, ...], str]:
    rows = [read_values(entry, cells) for entry, cells in labelled]
    count, first = len(rows[0]), labelled[0][0]
    for (entry, _), row in zip(labelled, rows, strict=True):
        if len(row) != count:
            raise DataError(
                f"{entry.where}: {len(row)} value{'s' * (len(row) != 1)}, but {first.where} has "
                f"{count}",
                "write the same number of values for all videos",
            )
    given = _name_values(first, count, names, classes)
    train = [row for (e, _), row in zip(labelled, rows, strict=True) if e.split in (None, "train")]
    for number, name in enumerate(given):
        values = [row[number] for row in train]
        if len(values) > 1 and math.isclose(min(values), max(values), rel_tol=1e-12):
            raise DataError(
                f"{first.where}: {name!r} is {values[0]:g} for all {len(values)} training videos: "
                "there is nothing to learn",
                "give other columns: --label-column",
            )
    return rows, given, ""


def _name_values(
    first: VideoEntry, count: int, names: Sequence[str], classes: ClassNames | None
) -> tuple[str, ...]:
    """Return the names of the values: given, or those of the columns, or numbered."""
    if classes is not None:
        if len(classes.names) != count:
            raise DataError(
                f"{first.where}: {count} value{'s' * (count != 1)}, but --classes has "
                f"{len(classes.names)} names"
            )
        if classes.is_file:
            return tuple(classes.names)
    if len(names) == count:
        return tuple(names)
    name = names[0] if names else "value"
    return (name,) if count == 1 else tuple(f"{name} {number}" for number in range(count))

"""Read what a source lists, with its labels: the first part of every `videomae prepare`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.ingest.list_checks import check_has_training_videos, check_no_duplicates
from videomae_cli.data.labels.class_files import ClassNames, read_classes
from videomae_cli.data.labels.numbering import Labels, number_labels
from videomae_cli.data.labels.targets import read_targets
from videomae_cli.data.layouts.video_entry import SideTable, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.listing import list_videos
from videomae_cli.tasks.prepare.options import PrepareOptions


class Source(NamedTuple):
    """The videos of a source, with their labels."""

    root: Path
    """The directory that paths are relative to."""
    layout: str
    entries: list[VideoEntry]
    labels: Labels
    remarks: list[str]
    """A sentence for all that is not used or was changed."""
    side_tables: Mapping[str, SideTable]


def read_source(source: Path, options: PrepareOptions, report: Report) -> Source:
    """List the videos of a source, and check and number their labels.

    Raises:
        DataError: The list is wrong; the message gives file and line.
    """
    root = options.root or (source if source.is_dir() else source.parent)
    given = options.classes
    classes = None if given is None else read_classes(given, options.encoding)
    listed = list_videos(source, root, options, report)
    if listed.classes:
        classes = classes or ClassNames(listed.classes, source=f"layout {listed.layout}")
    entries = [entry._replace(split=entry.split or options.split) for entry in listed.entries]
    labels = _read_labels(entries, listed.label_names, root, classes, options)
    if options.label_column is not None and labels.classes is None:
        raise DataError(
            f"{source}: no row has a label in {options.label_column!r}",
            "name another column, or leave out --label-column",
        )
    entries = _spell_alike(entries, root)
    remarks = warn_all(report, filter(None, (labels.remark, classes.guess if classes else "")))
    remarks = [*listed.remarks, *remarks]
    return Source(root, listed.layout, entries, labels, remarks, listed.side_tables)


def _spell_alike(entries: Sequence[VideoEntry], root: Path) -> list[VideoEntry]:
    """Give all entries of a file the path of the first: `./a.mp4` and `a.mp4` are one source."""
    first: dict[str, str] = {}
    return [
        entry._replace(path=first.setdefault(os.path.normpath(root / entry.path), entry.path))
        for entry in entries
    ]


def _read_labels(
    entries: Sequence[VideoEntry],
    names: Sequence[str],
    root: Path,
    classes: ClassNames | None,
    options: PrepareOptions,
) -> Labels:
    """Check the list and return its labels, in the form of the task."""
    check_no_duplicates(entries, root)
    is_for_evaluation = classes is not None or options.split is not None
    check_has_training_videos(entries, has_classes=is_for_evaluation)
    if options.task == "single-label":
        return number_labels(entries, classes)
    return read_targets(entries, names, options.task, classes)


def warn_all(report: Report, texts: Iterable[str]) -> list[str]:
    """Report warnings, and return them."""
    warnings = list(texts)
    for text in warnings:
        report.warn(text)
    return warnings

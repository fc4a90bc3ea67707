"""List the videos of a source, and refuse to guess where the source says more than is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.ingest.frame_parts import find_frame_parts
from videomae_cli.data.ingest.list_checks import drop_copied_test_list
from videomae_cli.data.ingest.path_repair import repair_paths
from videomae_cli.data.labels.targets import merge_repeated
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.file_search import LIST_SUFFIXES, join_some
from videomae_cli.data.layouts.segments.cut_files import use_cut_files
from videomae_cli.data.layouts.segments.time_columns import check_unit
from videomae_cli.data.layouts.video_entry import Listing, Reading, SideTable, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import VAL_FRACTION, PrepareOptions
from videomae_cli.units import plural


class VideoList(NamedTuple):
    """The videos of a source."""

    layout: str
    entries: list[VideoEntry]
    remarks: list[str]
    """A sentence for all that is not used or was changed."""
    label_names: tuple[str, ...]
    """Names of the label columns, if the task is not `single-label`."""
    classes: tuple[str, ...] = ()
    """Names of the classes in their order, if the data set itself gives them."""
    side_tables: Mapping[str, SideTable] = {}
    """Tables to write beside the manifest, by their names."""


def list_videos(source: Path, root: Path, options: PrepareOptions, report: Report) -> VideoList:
    """List the videos of a source.

    Raises:
        DataError: The list is wrong, or a file, folder or column that is not used speaks of
            labels or of a split.
    """
    reading = _make_reading(root, options)
    layout = options.layout
    try:
        if layout is None:
            detected = detect_layout(source, reading)
            layout = detected.name
            report.say(str(detected))
        listing = scan_layout(source, layout, reading)
        check_unit(source, layout, listing.entries, options.segment_unit)
        entries, dropped = drop_copied_test_list(listing.entries)
        if options.task == "multi-label":
            entries = merge_repeated(entries)
        entries, changes = repair_paths(entries, root, options.encoding)
        entries, parts = find_frame_parts(entries, root)
        entries, cut = use_cut_files(entries)
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}", "check that it can be read"
        ) from error
    if options.layout is None:
        _check_hints(source, listing, options)
    remarks = [*listing.remarks, *changes, *parts, *cut]
    joined = len(listing.entries) - dropped - len(entries)
    if joined:
        verb = "is a further class of a video" if joined == 1 else "are further classes of videos"
        remarks.append(f"{plural(joined, 'row')} {verb} in other rows")
    for remark in remarks:
        report.warn(remark)
    if dropped:
        remarks.append(f"the test list repeats the val list: used as val only ({plural(dropped)})")
        report.say(remarks[-1])
    names, own = tuple(listing.label_names), tuple(listing.classes)
    return VideoList(layout, entries, remarks, names, own, listing.side_tables)


def _make_reading(root: Path, options: PrepareOptions) -> Reading:
    return Reading(
        options.path_column,
        options.label_column,
        options.split_column,
        options.encoding,
        root,
        None if options.classes is None else Path(options.classes),
        options.task,
        options.segment_unit,
    )


def _check_hints(source: Path, listing: Listing, options: PrepareOptions) -> None:
    """Raise a DataError if labels or splits may be overlooked; the user can insist."""
    is_labelled = any(entry.label is not None or entry.cells for entry in listing.entries)
    if listing.label_hints and not is_labelled:
        raise DataError(
            f"{source}: no labels found, but {join_some(listing.label_hints)} "
            f"{'names' if len(listing.label_hints) == 1 else 'name'} the videos",
            f"{_suggest(source, listing.label_hints[0])}to use the videos without labels: "
            "--layout videos",
        )
    has_splits = any(entry.split for entry in listing.entries)
    if is_labelled and not has_splits and listing.split_hints and options.val_fraction is None:
        raise DataError(
            f"{source}: no split found, but {join_some(listing.split_hints)} "
            f"{'speaks' if len(listing.split_hints) == 1 else 'speak'} of one",
            f"{_suggest(source, listing.split_hints[0])}to draw a random split all the same: "
            f"--val-fraction {VAL_FRACTION}",
        )


def _suggest(source: Path, hint: str) -> str:
    """Return the command that reads the lists of a hint, if it is a file below the source."""
    if hint.startswith(("the folder ", "a folder ", "the names ")):
        return "write a table with the columns path,label,split; "
    if source.is_file() and (source.parent / hint).is_file():
        return (
            f"if {hint} belongs to {source.name}, name them train, val and test, and give their "
            f"folder, {source.parent}; "
        )
    if not (source / hint).is_file():
        return "name the column of the splits, if it has train, val and test: --split-column; "
    if Path(hint).suffix.lower() not in LIST_SUFFIXES:
        return "it is not read: save it as text with a header, path,label,split; "
    lists = source / hint if "/" not in hint else (source / hint).parent
    return f"read it: videomae prepare {lists} --root FOLDER (the folder its paths start from); "

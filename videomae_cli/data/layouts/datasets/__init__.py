"""Layouts of data sets as they are released: their own lists, and videos anywhere below a root."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.datasets import (
    ava,
    diving48,
    ego4d,
    hmdb51,
    hugging_face,
    kinetics,
    something_something,
    ucf101,
)
from videomae_cli.data.layouts.datasets.source_files import SourceFiles, read_source
from videomae_cli.data.layouts.video_entry import Listing, Reading
from videomae_cli.errors import DataError, UsageError


class DataSet(NamedTuple):
    """How a data set is recognised and read."""

    layouts: tuple[str, ...]
    recognise: Callable[[SourceFiles, Reading], dict[str, str]]
    """Returns the layout of a source with a description, or {}; a DataError names what the user
    must choose."""
    scan: Callable[[SourceFiles, str, Reading], Listing]
    """Lists the videos; an empty listing if the lists are not there."""
    has_columns: bool = False
    """Whether the user may name columns, and several labels are possible."""


DATA_SETS = (
    DataSet(ucf101.LAYOUTS, ucf101.recognise, ucf101.scan),
    DataSet(hmdb51.LAYOUTS, hmdb51.recognise, hmdb51.scan),
    DataSet((something_something.LAYOUT,), something_something.recognise, something_something.scan),
    DataSet((kinetics.LAYOUT,), kinetics.recognise, kinetics.scan),
    DataSet((diving48.LAYOUT,), diving48.recognise, diving48.scan),
    DataSet((ego4d.LAYOUT,), ego4d.recognise, ego4d.scan),
    DataSet((ava.LAYOUT,), ava.recognise, ava.scan),
    DataSet((hugging_face.LAYOUT,), hugging_face.recognise, hugging_face.scan, has_columns=True),
)


def recognise_data_sets(source: Path, reading: Reading) -> dict[str, str]:
    """Return the layouts of data sets that fit a source, each with a description.

    Raises:
        DataError: It is a data set of which the user must choose the split or the labels, or the
            lists of several data sets are there.
    """
    files = read_source(source, reading)
    layouts: dict[str, str] = {}
    for data_set in DATA_SETS if files.texts else ():
        if data_set.has_columns or not _names_columns(reading):
            layouts.update(data_set.recognise(files, reading))
    if len(layouts) > 1:
        raise DataError(
            f"{source} contains the lists of {len(layouts)} data sets: "
            + "; ".join(layouts.values()),
            f"give the folder of one, or choose it: --layout {' or '.join(layouts)}",
        )
    return layouts


def scan_data_set(source: Path, layout: str, reading: Reading) -> Listing:
    """List the videos of a data set; a DataError if one of its lists is wrong."""
    data_set = next(one for one in DATA_SETS if layout in one.layouts)
    if not data_set.has_columns and (_names_columns(reading) or reading.task != "single-label"):
        raise UsageError(
            f"{source}: layout {layout} has one class for each video",
            "omit --label-column, --path-column, --split-column and --task",
        )
    return data_set.scan(read_source(source, reading), layout, reading)


def _names_columns(reading: Reading) -> bool:
    given = (reading.path_column, reading.label_column, reading.split_column)
    return any(name is not None for name in given)


DATA_SET_LAYOUTS = {layout: scan_data_set for data_set in DATA_SETS for layout in data_set.layouts}

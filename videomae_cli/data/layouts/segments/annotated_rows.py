"""The parts of videos that an annotation file lists, and their listing as entries.

Every format of `segments/` is read to rows; here the videos are found, wrong times are handled,
and what is not used is reported.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.segments.times import Unit, find_problem, make_segment
from videomae_cli.data.layouts.segments.video_places import VideoPlaces
from videomae_cli.data.layouts.split_names import find_split_in_name
from videomae_cli.data.layouts.video_entry import Reading, VideoEntry
from videomae_cli.errors import DataError


class Row(NamedTuple):
    """A video or a part of one, as annotated."""

    file: Path
    """The annotation file."""
    line: int
    """Line in it, or 0 if it has none."""
    names: tuple[str, ...]
    """Names that the video may have, as paths or without folder and suffix, the likeliest first."""
    label: int | str | None
    times: tuple[float, float] | None = None
    """Start and end, which is not part of it; None: all of the video."""
    unit: Unit = "seconds"
    frames: tuple[int, int] | None = None
    """The same as frame numbers, for a video that is a folder of frames, which has no times."""
    split: str | None = None
    """Of the annotations; None: that of the name of the file, if there is one."""
    class_name: str = ""
    """Name of the class of a numeric label."""
    cells: tuple[str, ...] | None = None
    """Texts of several labels; None: the label, in tasks that have several."""

    place: str = ""
    """The place in a file that has no lines, for messages."""

    @property
    def where(self) -> str:
        """Return "file:line", or the place, for messages."""
        return self.place or (f"{self.file}:{self.line}" if self.line else str(self.file))


class Annotations(NamedTuple):
    """The rows of annotation files, and sentences about all that is not used."""

    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    is_published: bool = False
    """Whether these are the files of a data set, whose wrong rows the user cannot correct: they are
    left out and reported."""
    classes: Sequence[str] = ()
    """Names of the classes in the order of their numbers, if the data set gives them."""


class Format(NamedTuple):
    """A format of annotation files."""

    description: str
    suffixes: tuple[str, ...]
    recognise: Callable[[bytes], bool]
    """Returns whether content has the format: all of a JSON file, the start of others."""
    read: Callable[[Sequence[Path], Reading], Annotations]
    """Reads the files of a source."""
    has_label_column: bool = True
    """Whether --label-column chooses among several kinds of labels."""


def make_entries(
    annotations: Annotations, root: Path, reading: Reading
) -> tuple[list[VideoEntry], list[str]]:
    """Return an entry for each row, with the path of its video, and remarks.

    Raises:
        DataError: A segment is wrong, a name has several videos, or only some rows have a split.
    """
    remarks: list[str] = []
    rows = [
        row._replace(split=row.split or find_split_in_name(row.file.name))
        for row in annotations.rows
    ]
    _check_splits(rows)
    places = VideoPlaces(root, {name for row in rows for name in row.names})
    known: dict[tuple[Path, tuple[str, ...]], str] = {}
    placed = []
    for row in rows:
        key = (row.file.parent, row.names)
        if key not in known:
            known[key] = places.find(row.where, row.names, row.file.parent)
        if row.frames is not None and (root / known[key]).is_dir():
            row = row._replace(times=row.frames, unit="frames")
        placed.append((row, known[key]))
    if annotations.is_published:
        placed, remarks = _drop_wrong_times(placed)
    else:
        placed, remarks = _drop_points(placed)
    unlisted = sorted({*places.videos} - {*known.values()})
    if unlisted and len(unlisted) < len(places.videos):
        remarks.append(
            f"videos that are not annotated are not used ({len(unlisted):,} of "
            f"{len(places.videos):,}): {join_some(unlisted)}"
        )
    entries = [_make_entry(row, path, reading) for row, path in placed]
    first: dict[tuple[object, ...], VideoEntry] = {}
    unique = [entry for entry in entries if first.setdefault(_key(entry), entry) is entry]
    if len(unique) < len(entries):
        remarks.append(f"rows that repeat others are used once ({len(entries) - len(unique):,})")
    return unique, remarks


def _make_entry(row: Row, path: str, reading: Reading) -> VideoEntry:
    segment = None if row.times is None else make_segment(row.where, *row.times, row.unit)
    entry = VideoEntry(
        path, row.label, row.split, row.file, row.line, row.class_name, segment=segment
    )
    if reading.task == "single-label":
        return entry
    cells = row.cells or (("",) if row.label is None else (str(row.class_name or row.label),))
    return entry._replace(label=None, class_name="", cells=cells)


def _key(entry: VideoEntry) -> tuple[object, ...]:
    return entry.path, entry.segment, entry.label, entry.cells, entry.split


def _check_splits(rows: Sequence[Row]) -> None:
    """Raise a DataError if some rows have a split, and others have none."""
    with_split = next((row for row in rows if row.split), None)
    without = next((row for row in rows if not row.split), None)
    if with_split and without:
        raise DataError(
            f"{without.where}: no split, but {with_split.where} is {with_split.split}",
            "give the files of one split as SOURCE, or name all of them after their splits",
        )


def _drop_points(
    placed: Sequence[tuple[Row, str]],
) -> tuple[list[tuple[Row, str]], list[str]]:
    """Leave out rows that end where they start, as single points in time do; return a remark."""
    points = [row for row, _ in placed if row.times is not None and row.times[0] == row.times[1]]
    if not points:
        return list(placed), []
    kept = [
        (row, path) for row, path in placed if row.times is None or row.times[0] != row.times[1]
    ]
    return kept, [
        f"segments that end where they start are not used ({len(points):,} of {len(placed):,}), "
        f"such as {points[0].where}"
    ]


def _drop_wrong_times(
    placed: Sequence[tuple[Row, str]],
) -> tuple[list[tuple[Row, str]], list[str]]:
    """Leave out rows whose times select nothing; also return a remark."""
    problems = [find_problem(*row.times) if row.times is not None else "" for row, _ in placed]
    right = [one for one, problem in zip(placed, problems, strict=True) if not problem]
    if len(right) == len(placed):
        return right, []
    row, problem = next(
        (row, problem) for (row, _), problem in zip(placed, problems, strict=True) if problem
    )
    return right, [
        f"segments with wrong times are not used ({len(placed) - len(right):,} of "
        f"{len(placed):,}), such as {row.where}: {problem}"
    ]


def count_problems(counts: Counter[str]) -> list[str]:
    """Return a sentence with its number for all in the annotations that is not used."""
    return [f"{reason} ({count:,})" for reason, count in counts.items() if count]

"""Layout `boris`: exports of BORIS as CSV or TSV, aggregated events or tabular events.

    aggregated   Observation id,...,Behavior,...,Behavior type,Start (s),Stop (s),...,Media file
                 name; a row is an event
    tabular      ...,Behavior,...,Behavior type (START, STOP, POINT),Time,Media file name; of older
                 versions, after a head: Time,Media file path,...,Behavior,...,Status

Times are seconds from the start of an observation. That is the start of its file if the observation
has one media file and no time offset, which is checked. Point events have no duration, and are not
used. The label is the behavior, or another column: `--label-column "Behavioral category"`.

Source: the user guide (www.boris.unito.it, Export events) and BORIS's own export functions.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.csv_rows import CsvRow, read_csv
from videomae_cli.data.layouts.segments.times import parse_time
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

BEHAVIOR = "Behavior"
MEDIA = ("Media file name", "Media file", "Media file path")
TYPES = ("Behavior type", "Status")
DURATIONS = ("Media duration (s)",)
OFFSET = "Time offset (s)"
_HEAD = re.compile(rb'^"?Time"?[,\t;]"?Media file', re.MULTILINE)
POINTS = "point events have no duration, and are not used"


class _Event(NamedTuple):
    """A row of an export, with the columns of all versions under one name."""

    row: CsvRow
    label: str
    media: str
    kind: str

    @property
    def where(self) -> str:
        """Return "file:line" for messages."""
        return self.row.where

    @property
    def key(self) -> tuple[str, ...]:
        """What a START and its STOP have in common."""
        names = ["Observation id", "Subject", BEHAVIOR]
        names += [name for name in self.row.cells if name.startswith("Modifier")]
        return (str(self.row.file), self.media, *(self.row.cells.get(name, "") for name in names))


def recognise(data: bytes) -> bool:
    """Return whether the start of a file is that of an export of events."""
    first = data.split(b"\n", 1)[0]
    is_new = b"Observation id" in first and BEHAVIOR.encode() in first and b"Media file" in first
    return is_new or (b"Observation id" in first and _HEAD.search(data) is not None)


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each state event, with its behavior or another column as the label."""
    counts: Counter[str] = Counter()
    rows = []
    for path in paths:
        events = _read_events(path, reading)
        _check_media(events)
        is_aggregated = bool(events) and "Start (s)" in events[0].row.cells
        rows += list((_read_aggregated if is_aggregated else _pair_events)(events, counts))
    name = reading.label_column or BEHAVIOR
    return Annotations(
        rows, [f"each row is a state event with its {name} as the label", *count_problems(counts)]
    )


def _read_events(path: Path, reading: Reading) -> list[_Event]:
    label = reading.label_column or BEHAVIOR
    events = []
    for row in read_csv(path, reading.encoding, _count_head_lines(path, reading)):
        media, kind = (
            next((row.cells[name] for name in names if name in row.cells), "")
            for names in (MEDIA, TYPES)
        )
        if not media or media.upper() in ("NA", "LIVE"):
            raise DataError(
                f"{row.where}: no media file: a live observation, or one of pictures",
                "export observations of video files only",
            )
        events.append(_Event(row, row.get(label), media, kind.upper()))
    return events


def _count_head_lines(path: Path, reading: Reading) -> int:
    """Return how many lines are before the header, which are a head in older versions."""
    lines = read_text(path, reading.encoding).content.splitlines()
    numbers = (n for n, line in enumerate(lines) if re.match(r'"?Time"?[,\t;]"?Media file', line))
    return next(numbers, 0)


def _check_media(events: Sequence[_Event]) -> None:
    """Raise a DataError if times do not count from the start of a media file."""
    first: dict[str, _Event] = {}
    for event in events:
        cells = event.row.cells
        other = first.setdefault(cells.get("Observation id", ""), event)
        durations = [text for name in DURATIONS for text in re.split("[;,]", cells.get(name, ""))]
        if other.media != event.media or len(durations) > 1:
            raise DataError(
                f"{event.where}: the observation has several media files, and its times count from "
                "the start of the first",
                "make one observation for each media file",
            )
        if cells.get(OFFSET, "").strip("0.:- ") not in ("", "NA"):
            raise DataError(
                f"{event.where}: the observation has a time offset, {cells[OFFSET]} s",
                "set it to 0 in BORIS, and export again",
            )


def _read_aggregated(events: Sequence[_Event], counts: Counter[str]) -> Iterator[Row]:
    for event in events:
        if event.kind == "POINT":
            counts[POINTS] += 1
            continue
        start, stop = (
            parse_time(event.where, event.row.get(name)) for name in ("Start (s)", "Stop (s)")
        )
        yield _make_row(event, start, stop)


def _pair_events(events: Sequence[_Event], counts: Counter[str]) -> Iterator[Row]:
    """Yield a row for each START with its STOP; a DataError if one of both is missing."""
    started: dict[tuple[str, ...], list[_Event]] = defaultdict(list)
    for event in events:
        if event.kind == "START":
            started[event.key].append(event)
        elif event.kind == "STOP" and started[event.key]:
            start = started[event.key].pop(0)
            times = [parse_time(one.where, one.row.get("Time")) for one in (start, event)]
            yield _make_row(start, *times)
        elif event.kind == "POINT":
            counts[POINTS] += 1
        else:
            raise DataError(
                f"{event.where}: {event.kind or 'an event'} of {event.label!r} without a START",
                "repair the observation in BORIS (Observations > Check state events)",
            )
    for rest in started.values():
        for event in rest:
            raise DataError(
                f"{event.where}: START of {event.label!r} without a STOP",
                "repair the observation in BORIS (Observations > Check state events)",
            )


def _make_row(event: _Event, start: float, stop: float) -> Row:
    label = event.label or None
    return Row(event.row.file, event.row.line, (event.media,), label, (start, stop))


FORMAT = Format("events of BORIS", (".csv", ".tsv"), recognise, read)

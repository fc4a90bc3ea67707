"""Layout `boris`: exports of BORIS as CSV or TSV, aggregated events or tabular events.

    aggregated   Observation id,...,Behavior,...,Behavior type,Start (s),Stop (s),...,Media file
                 name; a row is an event
    tabular      ...,Behavior,...,Behavior type (START, STOP, POINT),Time,Media file name; of older
                 versions, after a head: Time,Media file path,...,Behavior,...,Status

Times are seconds from the start of the first media file of an observation, and continue in the
next: the lengths of the files before (`Media duration (s)`, in the order of `Source`) are
subtracted. A time offset is refused. Point events have no duration, and are not used. The label is
the behavior, or another column: `--label-column "Behavioral category"`.

Source: the user guide (www.boris.unito.it, Export events), and the exports in tests/files of
github.com/olivierfriard/BORIS.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.csv_rows import CsvRow, read_csv
from videomae_cli.data.layouts.segments.times import parse_time
from videomae_cli.data.layouts.segments.video_places import clean_name
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

BEHAVIOR = "Behavior"
MEDIA = ("Media file name", "Media file", "Media file path")
TYPES = ("Behavior type", "Status")
SOURCE, DURATION = "Source", "Media duration (s)"
OFFSET = "Time offset (s)"
_HEAD = re.compile(rb'^"?Time"?[,\t;]"?Media file', re.MULTILINE)
PLAYER = "Player #1"
PAIR = "repair the observation in BORIS (Observations > Check state events)"
TOLERANCE = 0.1  # seconds after the end of a media file, whose length is rounded
POINTS = "point events, which have no duration, are not used"


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
        return (str(self.row.file), *(self.row.cells.get(name, "") for name in names))

    @property
    def queue(self) -> list[tuple[str, str]]:
        """Return the media files that are played one after the other, and their seconds."""
        media, seconds = (
            self.row.cells.get(name, "").split("|")[0].split(";") for name in (SOURCE, DURATION)
        )
        media[0] = media[0].partition(":")[2]
        names = [_base(name) for name in media]
        is_known = all(names) and len(media) == len(seconds)
        return list(zip(names, seconds, strict=True)) if is_known else []


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
    labelled = [row for row in rows if row.label]
    counts[f"state events without a {name} are not used"] += len(rows) - len(labelled)
    if rows and not labelled:
        raise DataError(
            f"{paths[0]}: no row has a label in {name!r}", "choose another --label-column"
        )
    return Annotations(
        labelled,
        [f"each row is a state event with its {name} as the label", *count_problems(counts)],
    )


def _read_events(path: Path, reading: Reading) -> list[_Event]:
    head = _read_head(path, reading)
    events = []
    for row in read_csv(path, reading.encoding, len(head)):
        media, kind = (
            next((row.cells[name] for name in names if name in row.cells), "")
            for names in (MEDIA, TYPES)
        )
        if not media or media.upper() in ("NA", "LIVE", "NOT FOUND"):
            raise DataError(
                f"{row.where}: no media file: a live observation, or one of pictures",
                "export observations of video files only",
            )
        label = row.get(reading.label_column or BEHAVIOR)
        events.append(_Event(row, label, media, kind.upper()))
    if sum(line.startswith(PLAYER) for line in head) > 1:
        raise _several_media_error(str(path))
    for line in head:
        if line.startswith(OFFSET):
            _check_offset(str(path), line.removeprefix(OFFSET))
    return events


def _read_head(path: Path, reading: Reading) -> list[str]:
    """Return the lines before the header, which older versions write."""
    lines = read_text(path, reading.encoding).content.splitlines()
    numbers = (n for n, line in enumerate(lines) if re.match(r'"?Time"?[,\t;]"?Media file', line))
    return lines[: next(numbers, 0)]


def _check_media(events: Sequence[_Event]) -> None:
    """Raise a DataError if the start of a media file in its observation is not known."""
    first: dict[str, _Event] = {}
    for event in events:
        other = first.setdefault(event.row.cells.get("Observation id", ""), event)
        if other.media != event.media and not event.queue:
            raise _several_media_error(event.where)
        _check_offset(event.where, event.row.cells.get(OFFSET, ""))


def _check_offset(where: str, text: str) -> None:
    if text.strip('0.:- \t,;"') not in ("", "NA"):
        raise DataError(
            f"{where}: the observation has a time offset, {text.strip()} s",
            "set it to 0 in BORIS, and export again",
        )


def _several_media_error(where: str) -> DataError:
    return DataError(
        f"{where}: the observation has several media files, and their lengths are not in the file: "
        "its times count from the start of the first",
        "export it with a newer version of BORIS, or make an observation for each media file",
    )


def _read_aggregated(events: Sequence[_Event], counts: Counter[str]) -> Iterator[Row]:
    for event in events:
        if event.kind == "POINT":
            counts[POINTS] += 1
            continue
        start, stop = (event.row.get(name) for name in ("Start (s)", "Stop (s)"))
        if stop.strip().upper() in ("", "NA"):
            raise DataError(
                f"{event.where}: {stop!r} is not a time: {event.label!r} does not end", PAIR
            )
        yield _make_row(event, parse_time(event.where, start), parse_time(event.where, stop))


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
            raise DataError(f"{event.where}: {event.kind} of {event.label!r} without a START", PAIR)
    for rest in started.values():
        for event in rest:
            raise DataError(f"{event.where}: START of {event.label!r} without a STOP", PAIR)


def _make_row(event: _Event, start: float, stop: float) -> Row:
    """Return the row of an event; a DataError if it continues in the next media file."""
    before = 0.0
    if event.queue:
        names = [name for name, _ in event.queue]
        if _base(event.media) not in names:
            raise _several_media_error(event.where)
        place = names.index(_base(event.media))
        seconds = [parse_time(event.where, text) for _, text in event.queue[: place + 1]]
        before = sum(seconds[:place])
        if stop > before + seconds[place] + TOLERANCE:
            raise DataError(
                f"{event.where}: {event.label!r} ends after its media file", "split the event"
            )
    # the sum of the times has more digits than any of them
    times = (round(start - before, 6), round(stop - before, 6))
    return Row(event.row.file, event.row.line, (event.media,), event.label or None, times)


def _base(name: str) -> str:
    return PurePosixPath(clean_name(name)).name


FORMAT = Format("events of BORIS", (".csv", ".tsv"), recognise, read)

"""The columns of a table that give the start and the end of the part of a file in each row.

Two columns are a pair: `start,end`, `start_time,end_time`, `t_start,t_end`, `clip_start,clip_end`,
`onset,offset`, `start_frame,end_frame`, `start_sec,end_sec`; or one column contains `[start, end]`.
Frames count from 0. The end is not part of the segment. The unit is known from the names of the
columns (`frame`, `sec`, `ms`), from times as `00:01:02.5`, or because a value is not whole, which
makes it seconds. Whole numbers alone can be seconds, milliseconds or frames: the user is asked.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.columns import (
    Columns,
    find_time_columns,
    normalize,
    remove_brackets,
)
from videomae_cli.data.layouts.segments.times import (
    UNITS,
    Unit,
    has_comma,
    is_timestamp,
    make_segment,
    parse_time,
)
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError, UsageError

_STARTS = {"start": "start", "begin": "start", "onset": "start", "from": "start"}
_ENDS = {"end": "end", "stop": "end", "offset": "end", "to": "end"}
_SIDES = {**_STARTS, **_ENDS}
_SIDE = "|".join(_SIDES)
_UNIT = "time|times|timestamp|sec|secs|second|seconds|frame|frames|ms|s|idx|index"
_NAME = re.compile(
    rf"(?P<of>t|clip|segment|seg|action|event|video|label|gt)??_?"
    rf"(?:(?P<unit>{_UNIT})_?)??(?P<side>{_SIDE})(?:_?(?P<last>{_UNIT}))?"
)
_BOTH = re.compile(r"segments?|timestamps?")
_UNITS_OF_WORDS: dict[str, Unit] = {
    **dict.fromkeys(("sec", "secs", "second", "seconds", "s"), "seconds"),
    **dict.fromkeys(("frame", "frames"), "frames"),
    "ms": "milliseconds",
}


class TimeColumns(NamedTuple):
    """The numbers of the columns with start and end, which are the same if one contains both."""

    start: int
    end: int
    unit: Unit
    remark: str
    """What the columns mean, for the user."""

    def read(self, where: str, row: Sequence[str]) -> Segment:
        """Return the segment of a row; a DataError names the place of a wrong one."""
        texts = (row[self.start], row[self.end])
        if self.start == self.end:
            texts = _split_pair(where, row[self.start])
        if not any(text.strip() for text in texts):
            raise DataError(
                f"{where}: no start and no end, but other rows are parts of files",
                "write 0 and the duration for all of a file, or list whole files in a table of "
                "their own, without these columns",
            )
        start, end = (parse_time(where, text) for text in texts)
        return make_segment(where, start, end, self.unit)


class _Pair(NamedTuple):
    """Two columns that belong together, and the unit that their names give."""

    start: int
    end: int
    unit: Unit | None


def find_segment_columns(
    path: Path, columns: Columns, rows: Sequence[Sequence[str]], unit: str | None
) -> TimeColumns | None:
    """Return the columns with start and end; None if no column selects a part of a video.

    `unit` is the one that the user gives; None if it is to be found.

    Raises:
        DataError: There is a start without an end, or the unit or the columns are not certain.
    """
    times = find_time_columns(columns, rows)
    if not times:
        return None
    pairs = _find_pairs(columns, rows)
    if not pairs:
        raise DataError(
            f"{path}: the columns {', '.join(times)} select a part of each video, but do not give "
            "both its start and its end",
            "write two columns, start and end; or, if the files are cut already, remove these "
            "columns",
        )
    known = [(pair, _find_unit(pair, rows, unit)) for pair in pairs]
    pair, found = _choose_pair(path, columns, known, unit)
    names = [columns.header[number] for number in dict.fromkeys((pair.start, pair.end))]
    if found is None:
        raise DataError(
            f"{path}: are the columns {', '.join(names)} seconds, milliseconds or frames? All "
            "values are whole numbers",
            f"give the unit: --segment-unit {', '.join(UNITS[:-1])} or {UNITS[-1]}",
        )
    counted = ", counted from 0" if found == "frames" else ""
    return TimeColumns(
        pair.start,
        pair.end,
        found,
        f"{path.name}: each row is a part of a file: {', '.join(names)} in {found}{counted}; the "
        "end is not part of it",
    )


def check_unit(source: Path, layout: str, entries: Sequence[VideoEntry], unit: str | None) -> None:
    """Raise a UsageError if the user gives a unit, and no columns of a table have it."""
    if unit is None or (layout == "table" and any(entry.segment for entry in entries)):
        return
    raise UsageError(
        f"{source}: --segment-unit {unit}, but "
        + ("no columns give a start and an end" if layout == "table" else f"{layout} has its own"),
        "omit --segment-unit",
    )


def _find_pairs(columns: Columns, rows: Sequence[Sequence[str]]) -> list[_Pair]:
    """Return the unused columns whose names belong together, and those that contain both times."""
    halves: dict[tuple[str, str], dict[str, int]] = {}
    pairs = []
    for number, name in enumerate(columns.header):
        word = remove_brackets(normalize(name))
        if number in columns.used:
            continue
        if _BOTH.fullmatch(word) and all(row[number].strip()[:1] in ("[", "(") for row in rows):
            pairs.append(_Pair(number, number, None))
        elif word in ("t0", "t1"):
            halves.setdefault(("t0", ""), {}).setdefault(("start", "end")[word == "t1"], number)
        elif match := _NAME.fullmatch(word):
            unit = match["unit"] or match["last"] or ""
            sides = halves.setdefault((match["of"] or "", unit), {})
            sides.setdefault(_SIDES[match["side"]], number)
    return [
        *(
            _Pair(sides["start"], sides["end"], _UNITS_OF_WORDS.get(word))
            for (_, word), sides in halves.items()
            if len(sides) == 2
        ),
        *pairs,
    ]


def _find_unit(pair: _Pair, rows: Sequence[Sequence[str]], given: str | None) -> Unit | None:
    """Return the unit of two columns, by their names or their values; None if it is not known."""
    if pair.unit is not None:
        return pair.unit
    texts = [row[number].strip() for row in rows for number in {pair.start, pair.end}]
    if pair.start == pair.end:
        texts = [part for text in texts for part in re.split(r"[\[\](),;\s]+", text) if part]
    if any(map(is_timestamp, texts)):
        return "seconds"
    if pair.start == pair.end and any(row[pair.start].count(",") == 3 for row in rows):
        return "seconds"  # reading the row says what is wrong with it
    if given is not None:
        return next(unit for unit in UNITS if unit == given)
    return "seconds" if any(_has_fraction(text) for text in texts) else None


def _has_fraction(text: str) -> bool:
    try:
        return not float(text).is_integer()
    except (ValueError, OverflowError):
        return has_comma(text)  # reading the row says what is wrong with it


def _choose_pair(
    path: Path,
    columns: Columns,
    known: Sequence[tuple[_Pair, Unit | None]],
    given: str | None,
) -> tuple[_Pair, Unit | None]:
    """Return the only pair of the given unit; by default, the only one, or that in seconds."""
    if given is not None:
        found = [one for one in known if one[1] == given]
    else:
        found = [one for one in known if one[1] == "seconds"] or list(known)
    if len(found) == 1:
        return found[0]
    names = [
        "/".join(columns.header[number] for number in dict.fromkeys(pair[:2])) for pair, _ in known
    ]
    if not found:
        raise DataError(
            f"{path}: --segment-unit {given}, but {' and '.join(names)} are in "
            f"{' and '.join(str(unit) for _, unit in known)}",
            "omit --segment-unit, or rename the columns",
        )
    raise DataError(
        f"{path}: the columns {' and '.join(names)} all select parts of the videos",
        "remove those that do not give the part to use",
    )


def _split_pair(where: str, text: str) -> tuple[str, str]:
    """Return the two times of a cell `[start, end]`."""
    try:
        value = json.loads(text.replace("(", "[").replace(")", "]"))
    except json.JSONDecodeError:
        value = None
    if not (isinstance(value, list) and len(value) == 2):
        commas = ", with decimal points: [0.5, 2]" if text.count(",") == 3 else ""
        raise DataError(
            f"{where}: {text!r} is not a start and an end", f"write [start, end]{commas}"
        )
    return str(value[0]), str(value[1])

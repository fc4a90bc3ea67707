"""Read times and frame numbers, and make segments of them."""

import math
import re
from typing import Literal, get_args

from videomae_cli.data.layouts.video_entry import Segment
from videomae_cli.errors import DataError

Unit = Literal["seconds", "frames", "milliseconds"]
UNITS: tuple[Unit, ...] = get_args(Unit)
_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+")
_TIMESTAMP = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def is_timestamp(text: str) -> bool:
    """Return whether a text is a time as `HH:MM:SS.mmm` or `MM:SS`."""
    return _TIMESTAMP.fullmatch(text.strip()) is not None


def has_comma(text: str) -> bool:
    """Return whether a text is a number with a comma, such as `12,5`; times may have one."""
    return _COMMA.fullmatch(text.strip()) is not None


def parse_time(where: str, text: str) -> float:
    """Return a number, or the seconds of a time as `HH:MM:SS.mmm`; a DataError for other texts."""
    match = _TIMESTAMP.fullmatch(text.strip())
    if match:
        hours, minutes, seconds = match[1] or "0", match[2], match[3].replace(",", ".")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if has_comma(text):
        raise DataError(
            f"{where}: {text.strip()!r} has a comma, which may be decimal or separate thousands",
            f"write a decimal point: {text.strip().replace(',', '.')}; and nothing between "
            "thousands",
        )
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise DataError(
            f"{where}: {text.strip()!r} is not a time" if text.strip() else f"{where}: no time",
            "write seconds (12.5), a frame number, or HH:MM:SS.mmm",
        )
    return value


def make_segment(where: str, start: float, end: float, unit: Unit) -> Segment:
    """Return the segment from `start` up to, and without, `end`.

    Raises:
        DataError: It is empty, or ends before it starts, or starts before the file, or a frame
            number is not whole.
    """
    if problem := find_problem(start, end):
        raise DataError(f"{where}: {problem}", "give the start of a part, and then its end")
    if unit == "frames" and not (float(start).is_integer() and float(end).is_integer()):
        raise DataError(
            f"{where}: the frame numbers {start:.10g} and {end:.10g} are not whole",
            "if these are seconds: --segment-unit seconds",
        )
    if unit == "milliseconds":
        return Segment(start / 1000, end / 1000, "seconds")
    return Segment(start, end, unit)


def find_problem(start: float, end: float) -> str:
    """Return why two times select no part of a file, or ""."""
    if not (math.isfinite(start) and math.isfinite(end)):
        return f"the part from {start:.10g} to {end:.10g} has no start or no end"
    if start < 0:
        return f"the part starts at {start:.10g}, before the file"
    if end == start:
        return f"the part from {start:.10g} to {end:.10g} is empty"
    return f"the part starts at {start:.10g} and ends before, at {end:.10g}" if end < start else ""

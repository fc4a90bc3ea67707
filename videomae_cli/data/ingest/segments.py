"""Turn the segments of a list, in seconds or frames, into frame numbers of their files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.data.time_sampling import ROUNDING, compute_times
from videomae_cli.errors import DataError
from videomae_cli.units import plural

# a segment may end so much later than its file: annotators and other programs round up
END_SECONDS = 1.0


class Span(NamedTuple):
    """The frames of an entry in its file."""

    start: int | None
    """Number of the first one; None: the whole file."""
    frames: int


def place_segments(
    entries: Sequence[VideoEntry], results: Sequence[ReadableVideo | RejectedVideo], root: Path
) -> tuple[list[ReadableVideo | RejectedVideo], list[Span], list[str]]:
    """Return the results, the frames of each entry, and remarks.

    An entry whose segment has no frame in the file gets a rejection as its result. A segment that
    ends up to a second after its file is cut there. Segments in seconds that are shorter than a
    frame are named: the table may be in another unit.
    """
    placed = list(results)
    spans: list[Span] = []
    seen: dict[tuple[str, Span], VideoEntry] = {}
    late: list[str] = []
    short: list[str] = []
    for number, (entry, result) in enumerate(zip(entries, results, strict=True)):
        span = Span(None, 0)
        if isinstance(result, ReadableVideo):
            span = Span(None, result.frames)
            if entry.segment is not None:
                try:
                    span, is_cut = place_segment(entry.segment, result)
                    late += [f"{entry.where}: {entry.path!r}"] if is_cut else []
                    short += [_describe(entry)] if _is_short(entry.segment, result) else []
                    _check_new(entry, span, seen, root)
                except DataError as error:
                    placed[number] = RejectedVideo(error.message)
        spans.append(span)
    remarks = []
    if late:
        ends = "ends after its file, and is" if len(late) == 1 else "end after their file, and are"
        remarks.append(f"{plural(len(late), 'segment')} {ends} cut there ({late[0]})")
    if short:
        remarks.append(
            f"{plural(len(short), 'segment')} shorter than a frame, such as {short[0]}: check the"
            " unit of the times, and whether points are decimal"
        )
    return placed, spans, remarks


def _is_short(segment: Segment, video: ReadableVideo) -> bool:
    if segment.unit == "frames" or segment.end is None:
        return False
    return (segment.end - segment.start) * video.fps < 1


def _describe(entry: VideoEntry) -> str:
    assert entry.segment is not None, "the caller has checked it"
    return f"{entry.where}: {entry.path!r}, {entry.segment.start:g} to {entry.segment.end:g} s"


def place_segment(segment: Segment, video: ReadableVideo) -> tuple[Span, bool]:
    """Return the frames of a segment, and whether it ends after the file.

    A frame belongs to a segment in seconds if it is first shown in it. A segment in which no frame
    is first shown has the frame that is shown at its start.

    Raises:
        DataError: It starts after the end of the file, or ends more than `END_SECONDS` later, or
            the frame rate is needed and not known.
    """
    if segment.unit == "frames":
        start = int(segment.start)
        end = video.frames if segment.end is None else int(segment.end)
        length, slack = plural(video.frames, "frame"), round(END_SECONDS * (video.fps or 25))
        _check(segment, float(video.frames), slack, length)
        return Span(start, min(end, video.frames) - start), end > video.frames
    if video.fps <= 0:
        raise DataError(
            "the frame rate is unknown, which a segment in seconds needs: give frame numbers, in "
            "the columns start_frame and end_frame of a table"
        )
    times = compute_times("", video.frames, video.fps, video.times)
    _check(segment, times.end, END_SECONDS, f"{times.end:.2f} seconds")
    seconds = times.end if segment.end is None else segment.end
    bounds = np.array([segment.start, seconds]) - ROUNDING
    first, stop = (int(number) for number in np.searchsorted(times.starts, bounds))
    if first >= stop:
        first, stop = max(0, first - 1), max(1, first)
    return Span(first, stop - first), seconds > times.end + 1 / video.fps


def _check(segment: Segment, length: float, slack: float, text: str) -> None:
    """Raise a DataError unless a segment lies in a file of a length, in its own unit."""
    end = length if segment.end is None else segment.end
    shown = f"the segment from {segment.start:g} to {end:g} {segment.unit}"
    if not 0 <= segment.start < end:
        raise DataError(f"{shown} is empty or starts before the file")
    if segment.start >= length or end > length + slack:
        raise DataError(f"{shown} is not in the file, which has {text}")


def _check_new(
    entry: VideoEntry, span: Span, seen: dict[tuple[str, Span], VideoEntry], root: Path
) -> None:
    """Raise a DataError if an earlier entry has the same frames of the same file."""
    first = seen.setdefault((os.path.normpath(root / entry.path), span), entry)
    if first is not entry:
        raise DataError(f"the same frames of the file as in {first.where}")

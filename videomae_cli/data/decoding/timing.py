"""Times of frames, and what a header promises of them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

# a frame interval may differ from the median by 1 ms + 1 %: many containers round to milliseconds
TOLERANCE_SECONDS, TOLERANCE_SHARE = 1.000001e-3, 0.01
DRIFT_SHARE = 0.1  # of a frame interval: by so much may times computed from the rate be wrong
# formats whose header states a duration; that of others is estimated from the size of the file
WITH_DURATION = ("mov", "matroska", "avi", "flv", "asf")
MISSING_SECONDS, MISSING_SHARE = 1.0, 0.1
NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS of FFmpeg
UNKNOWN_RATE = "an unknown frame rate"  # a note, as the next
ASSUMED_RATE = "a frame rate that FFmpeg assumes, as the file states none"


def has_timestamps(container: Any) -> bool:
    """Return whether the format stores times; a stream without a container has none."""
    return not container.format.flags & NO_TIMESTAMPS


def find_raw_rate(stream: Any) -> float:
    """Return the frame rate in the bit stream, or 0 if it states none, as Motion JPEG.

    It is the rate of a stream without a container, for which FFmpeg states 25 in any case.
    """
    return float(stream.codec_context.framerate or 0)


def find_rate(stream: Any, seconds: Sequence[float]) -> float:
    """Return the frame rate that a stream states; if it is absurd, that of the times of frames.

    The average rate of a raw DV file is that of its clock (60,000 per second).
    """
    stated = float(stream.average_rate or stream.guessed_rate or 0)
    span = max(seconds, default=0.0) - min(
        seconds, default=0.0
    )  # of damaged files they may go back
    measured = (len(seconds) - 1) / span if span > 0 else stated
    return measured if stated > 100 * measured else stated


def is_variable(seconds: Sequence[float]) -> bool:
    """Return whether the intervals between frames differ; `seconds` are the times of frames."""
    intervals = [later - now for now, later in pairwise(seconds)]
    if not intervals:
        return False
    usual = median(intervals)
    allowed = TOLERANCE_SECONDS + TOLERANCE_SHARE * usual
    return any(abs(interval - usual) > allowed for interval in intervals)


def find_times(seconds: Sequence[float], rate: float) -> tuple[float, ...]:
    """Return seconds from the first frame (rounded to 1e-6), or () if a constant rate gives them.

    `seconds` are the times of all frames, ascending; `rate` is what the manifest stores. Some files
    with a constant rate state another one (1000 per second, or one frame too many).
    """
    times = [time - seconds[0] for time in seconds]
    if len(times) < 2 or any(later < now for now, later in pairwise(times)):
        return ()
    allowed = TOLERANCE_SECONDS + DRIFT_SHARE * times[-1] / (len(times) - 1)
    is_given = rate > 0 and all(
        abs(time - number / rate) <= allowed for number, time in enumerate(times)
    )
    return () if is_given and not is_variable(seconds) else tuple(round(t, 6) for t in times)


def find_missing_end(
    container: Any, stream: Any, ends: Mapping[int, float], longest_interval: float
) -> str:
    """Return what the header promises beyond what is in the file; empty if nothing.

    `ends` gives the last second of each stream, by its number. The duration of the video stream is
    compared with its own end; Matroska and FLV state only that of the container, which is compared
    with the end of the longest stream. A last frame that is shown up to twice as long as any other
    is no promise.
    """
    name = container.format.name
    if not name.startswith(WITH_DURATION) or stream.index not in ends:
        return ""
    decoded, promised = ends[stream.index], 0.0
    if stream.duration is not None:
        promised = float(stream.duration * stream.time_base)
    elif container.duration is not None and not name.startswith("mov"):
        decoded, promised = max(ends.values()), container.duration / 1e6
    missing = promised - decoded
    if missing <= max(MISSING_SECONDS, MISSING_SHARE * promised, 2 * longest_interval):
        return ""
    return f"its header promises {promised:.1f} s, but only {decoded:.1f} s can be decoded"

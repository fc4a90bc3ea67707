"""Cut a long video into windows of time, and choose the frames of the clips of each window."""

import logging
from typing import NamedTuple

import numpy as np

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.clips import select_clips
from videomae_cli.data.evaluation.views import ViewRequest
from videomae_cli.data.manifest import NO_TIMES, Times, Video
from videomae_cli.data.time_sampling import ROUNDING, FrameTimes, times_of
from videomae_cli.errors import DataError

WINDOWS_AT_ONCE = 16
BYTES_AT_ONCE = 1 << 29  # of the frames that are read in one go
logger = logging.getLogger("videomae")


class Window(NamedTuple):
    """A part of a video: `[start, end)` in seconds from its first frame."""

    start: float
    end: float
    first: int
    """Number of the first frame that is shown in it."""
    frames: int
    """How many frames are shown in it; at least 1."""


def plan_windows(times: FrameTimes, seconds: float, hop: float) -> list[Window]:
    """Return the windows of a video, `hop` seconds apart.

    The last window is the first one that reaches the end of the video, where it is cut off. A
    window in which no frame starts has the frame that is shown at its start.

    Args:
        times: When the frames of the video are shown.
        seconds: Duration of a window.
        hop: Distance from the start of a window to that of the next.
    """
    windows: list[Window] = []
    start = 0.0
    while start < times.end - ROUNDING and not (
        windows and windows[-1].end >= times.end - ROUNDING
    ):
        end = min(start + seconds, times.end)
        first, stop = np.searchsorted(times.starts, [start - ROUNDING, end - ROUNDING])
        if first >= stop:
            first, stop = max(0, first - 1), max(1, first)
        windows.append(Window(start, end, int(first), int(stop - first)))
        start = (len(windows)) * hop
    return windows


def select_window_clips(
    protocol: Protocol, clip: ClipSpec, video: Video, times: Times, window: Window
) -> list[list[int]]:
    """Return the frame numbers of the clips of a window, as if it were a video of its own.

    A window that is shorter than a clip is sampled as a short video is, by `clip.short`.

    Args:
        protocol: How many clips there are, and the rules.
        clip: How clips are sampled, with the protocol applied.
        video: The whole video.
        times: When the frames of videos are shown whose rate does not give it.
        window: The part of it.

    Raises:
        DataError: `clip.short` refuses a short window, or the rules need a frame rate.
    """
    first, count = window.first, window.frames
    part = video._replace(frames=count, start=None)
    own = NO_TIMES
    if count > 1 and video.path in times:
        starts = times_of(video, times).starts[first : first + count]
        own = {video.path: starts - starts[0]}
    clips = select_clips(protocol, clip, part, own)
    return [[first + number for number in numbers] for numbers in clips]


def plan_window_requests(
    number: int,
    video: Video,
    clip: ClipSpec,
    protocol: Protocol,
    times: Times,
    spacing: tuple[float, float],
) -> list[tuple[ViewRequest, tuple[Window, ...]]]:
    """Return what to read of a video in one go, each with the windows that it is for.

    A last window that `clip.short` refuses is left out, with a warning.

    Args:
        number: Number of the video.
        video: The video.
        clip: How clips are sampled, with the protocol applied.
        protocol: The views of a window.
        times: When the frames of videos are shown whose rate does not give it.
        spacing: Duration of a window, and the time from one to the next, in seconds.

    Raises:
        DataError: The frame rate is unknown, or `clip.short` refuses a window that is not the last.
    """
    if video.fps <= 0:
        raise DataError("its frame rate is unknown, which --window needs")
    windows = plan_windows(times_of(video, times), *spacing)
    clips = []
    for window in windows:
        try:
            clips.append(select_window_clips(protocol, clip, video, times, window))
        except DataError as error:
            if len(windows) == 1 or window is not windows[-1]:
                raise
            message = "%s: its last window is left out: %s"
            logger.warning(message, video.name, error.message)
    groups = group_windows(number, video, clips, protocol.views)
    return [(request, tuple(windows[place] for place in places)) for places, request in groups]


def group_windows(
    number: int, video: Video, clips: list[list[list[int]]], views: int
) -> list[tuple[range, ViewRequest]]:
    """Return what to read in one go, with the windows that it is for: consecutive ones.

    A group has at most `WINDOWS_AT_ONCE` windows, and frames of at most `BYTES_AT_ONCE` (or one
    window), so that memory does not grow with the duration of the video.

    Args:
        number: Number of the video.
        video: The video.
        clips: Frame numbers of the clips of each window.
        views: Views of a window; groups are as large as batches of the model where possible.
    """
    frame_bytes = 3 * video.width * video.height
    frames = max(1, max(len({n for one in window for n in one}) for window in clips))
    most = max(1, min(WINDOWS_AT_ONCE // views, BYTES_AT_ONCE // (frame_bytes * frames)))
    groups = [range(i, min(i + most, len(clips))) for i in range(0, len(clips), most)]
    return [
        (group, ViewRequest(number, [one for window in group for one in clips[window]]))
        for group in groups
    ]

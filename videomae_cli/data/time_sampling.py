"""Compute the frame numbers of a clip in time: `clip.fps` and `clip.seconds`.

Frame k of a clip is the one that the video shows k steps after the start of the clip. Training
clips start with a random frame, test clips are evenly spread; the last one ends with the video.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from videomae_cli.config.clip import ClipSpec
from videomae_cli.data.frame_sampling import spread_indices
from videomae_cli.data.manifest import FRAME_TIMES, PREPARE_HINT, Manifest, Seconds, Times, Video
from videomae_cli.errors import DataError

ROUNDING = 1e-6  # seconds: a frame that starts so little later is shown already
logger = logging.getLogger("videomae")


class FrameTimes(NamedTuple):
    """When the frames of a video are shown, in seconds from the first."""

    starts: Seconds
    """(frames,) Ascending, from 0."""
    end: float
    """When the last frame ends."""

    def numbers_at(self, seconds: Seconds) -> list[int]:
        """Return the number of the frame that is shown at each time; the last one after the end."""
        shown = np.searchsorted(self.starts, seconds + ROUNDING, side="right") - 1
        return [int(number) for number in shown]


def compute_times(
    name: object, frames: int, fps: float, times: Sequence[float] | Seconds = ()
) -> FrameTimes:
    """Return the times of the frames of a video: `times`, else those of a constant frame rate.

    A DataError if the frame rate is unknown (0).
    """
    if len(times):
        starts = np.asarray(times, dtype=np.float64)
        # the duration of the last frame is not known: the mean of the others
        return FrameTimes(starts, float(starts[-1]) * frames / max(1, frames - 1))
    if fps <= 0:
        raise DataError(
            f"{name}: its frame rate is unknown, which clip.fps and clip.seconds need",
            "use clip.stride_frames instead (null for the others), or leave the video out",
        )
    return FrameTimes(np.arange(frames) / fps, frames / fps)


def times_of(video: Video, times: Times) -> FrameTimes:
    """Return the times of a video of the manifest; raises as `compute_times`.

    A segment starts at 0; `times` are those of its whole file.
    """
    measured = times.get(video.path, ())
    if video.start is None or not len(measured):
        return compute_times(video.name, video.frames, video.fps, measured)
    starts = np.asarray(measured[video.start : video.start + video.frames + 1], dtype=np.float64)
    if len(starts) < video.frames:
        raise DataError(f"{video.name}: its file has only {len(measured)} measured frame times")
    end = float(starts[-1])
    if len(starts) == video.frames:  # to the end of the file
        end = compute_times(video.name, len(measured), video.fps, measured).end
    return FrameTimes(starts[: video.frames] - starts[0], end - float(starts[0]))


def sample_clip(clip: ClipSpec, times: FrameTimes, rng: np.random.Generator) -> list[int]:
    """Return the frame numbers of a random training clip."""
    if is_short(clip, times):
        return short_indices(clip, times)
    in_reach = np.flatnonzero(times.starts + _duration(clip) <= times.end + ROUNDING)
    start = times.starts[in_reach[int(rng.integers(len(in_reach)))]]
    return times.numbers_at(start + _offsets(clip))


def select_test_clips(clip: ClipSpec, times: FrameTimes, clips: int) -> list[list[int]]:
    """Return the frame numbers of `clips` test clips; those of a short video are the same."""
    if is_short(clip, times):
        return [short_indices(clip, times)] * clips
    spare = max(0.0, times.end - _duration(clip))
    starts = np.linspace(0, spare, clips) if clips > 1 else np.array([spare / 2])
    return [times.numbers_at(start + _offsets(clip)) for start in starts]


def is_short(clip: ClipSpec, times: FrameTimes) -> bool:
    """Return whether a video is so short that `clip.short` decides."""
    return times.end + ROUNDING < _duration(clip)


def short_indices(clip: ClipSpec, times: FrameTimes) -> list[int]:
    """Return the clip of a short video by the rule of `clip.short`; a DataError for `refuse`."""
    if clip.short == "spread":
        return spread_indices(len(times.starts), clip.frames)
    if clip.short == "repeat-last":
        return times.numbers_at(_offsets(clip))
    if clip.short == "loop":
        return times.numbers_at(np.mod(_offsets(clip) + ROUNDING, times.end))
    raise DataError(f"a video of {times.end:.2f} s is shorter than a clip: clip.short refuses it")


def with_times(manifest: Manifest) -> Manifest:
    """Return the manifest with the times of frames that rates do not give, also in its digest.

    Raises:
        DataError: They were not measured, or their file is missing or wrong.
    """
    if manifest.folder is None or manifest.times_digest == "":
        return manifest
    path, hint = manifest.folder / FRAME_TIMES, PREPARE_HINT.format(manifest.folder)
    if manifest.times_digest is None:
        raise DataError(
            f"{manifest.folder} was prepared by a version that did not measure when frames are"
            " shown, which clip.fps and clip.seconds need",
            hint,
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.times_digest:
        logger.warning("%s was edited after videomae prepare wrote it; using the edited file", path)
    frames = {video.path: video.frames for video in manifest.videos if video.start is None}
    lines = enumerate(content.splitlines(), start=1)
    try:
        times = dict(_parse_times(line, frames, f"{path}:{number}") for number, line in lines)
    except DataError as error:
        raise DataError(error.message, hint) from error
    both = hashlib.sha256(f"{manifest.digest} {digest}".encode()).hexdigest()
    return manifest._replace(times=times, digest=both)


def _parse_times(line: bytes, frames: Mapping[str, int], where: str) -> tuple[str, Seconds]:
    try:
        row = json.loads(line)
        path, starts = row["path"], np.array(row["times"], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: not a path and its times ({error})") from error
    if len(starts) != frames.get(path, len(starts)):
        raise DataError(f"{where}: {len(starts)} times, but {frames[path]} frames, for {path!r}")
    if not np.isfinite(starts).all() or (np.diff(starts) < 0).any():
        raise DataError(f"{where}: the times do not ascend, for {path!r}")
    return path, starts


def _offsets(clip: ClipSpec) -> Seconds:
    """Return the times of the frames of a clip, from its start."""
    assert clip.step_seconds is not None
    return np.arange(clip.frames, dtype=np.float64) * np.float64(clip.step_seconds)


def _duration(clip: ClipSpec) -> float:
    assert clip.step_seconds is not None
    return clip.frames * clip.step_seconds

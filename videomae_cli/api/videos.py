"""Videos that a Python program gives: paths, NumPy arrays and torch tensors.

Files are probed exactly as `videomae predict` does, in child processes. The frames of an array take
the same way as decoded ones: the same choice of frames, the same resize and crops.

Shapes: T frames, H height, W width, C channels.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from videomae_cli.data.ingest.input_files import InputFile
from videomae_cli.data.ingest.input_videos import SPLIT, InputVideos, RejectedInput, probe_inputs
from videomae_cli.data.manifest import Video
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report, printable

VideoInput: TypeAlias = str | os.PathLike[str] | NDArray[np.uint8] | torch.Tensor
"""A path of a file or of a folder of frames, or uint8 frames (T, H, W, C)."""
Frames = NDArray[np.uint8]
_DECODER = "array"
_WANTED = "uint8 frames (T, H, W, C) with values 0..255"


class VideoList(NamedTuple):
    """The videos of one call, in their order."""

    inputs: InputVideos
    """The readable ones, as rows of a manifest."""
    places: tuple[int, ...]
    """Position of each in the list that was given."""


def is_one_video(videos: object) -> bool:
    """Return whether an argument is a path, an array or a tensor, and not a list of them."""
    return isinstance(videos, str | os.PathLike | np.ndarray | torch.Tensor)


def as_list(videos: object) -> list[Any]:
    """Return one video, or a sequence of them, as a list.

    Raises:
        UsageError: It is neither, or empty.
    """
    if is_one_video(videos):
        return [videos]
    if not isinstance(videos, Sequence) or isinstance(videos, bytes | bytearray):
        raise UsageError(
            f"videos: a {type(videos).__name__} is no video",
            "give a path, an array (T, H, W, C), or a list of them: list(videos)",
        )
    if not videos:
        raise UsageError("videos: the list is empty", "give at least one path or array")
    return list(videos)


def read_videos(
    videos: Sequence[Any], report: Report, *, channels: int, fps: float | None
) -> VideoList:
    """Probe the files and check the arrays of a list.

    Args:
        videos: Paths, arrays and tensors.
        report: Receives messages.
        channels: The channels of the model.
        fps: Frame rate of the arrays, None if it is unknown; that of files is measured.

    Raises:
        UsageError: A video is neither a path nor an array, or `fps` is wrong.
        DataError: An array has another shape or type of values.
    """
    arrays = {
        number: check_array(video, name_array(number), channels)
        for number, video in enumerate(videos)
        if isinstance(video, np.ndarray | torch.Tensor)
    }
    check_rate(fps, has_arrays=bool(arrays))
    names = {n: _name_file(video) for n, video in enumerate(videos) if n not in arrays}
    probed = probe_inputs([InputFile(name) for name in dict.fromkeys(names.values())], report)
    rows = {n: _describe_array(array, name_array(n), fps) for n, array in arrays.items()}
    files = {video.path: video for video in probed.videos}
    rows |= {n: files[name] for n, name in names.items() if name in files}
    reasons = {one.name: one for one in probed.rejected}
    places = tuple(sorted(rows))
    return VideoList(
        InputVideos(
            probed.root,
            tuple(rows[n] for n in places),
            probed.times,
            tuple(reasons[name] for name in names.values() if name in reasons),
            {row: arrays[n] for row, n in enumerate(places) if n in arrays},
        ),
        places,
    )


def name_array(number: int) -> str:
    """Return the name of an array in results and messages."""
    return f"<array {number}>"


def check_array(video: NDArray[Any] | torch.Tensor, name: str, channels: int) -> Frames:
    """Return the frames of an array or a tensor, on any device.

    Raises:
        DataError: The values are not uint8, or the shape is not (T, H, W, C).
    """
    kind = str(video.dtype).removeprefix("torch.")
    if kind != "uint8":
        hint = "convert it: video.astype('uint8'), or video.to(torch.uint8)"
        if "float" in kind:
            hint = "values 0..1: (video * 255).round() first; then .astype('uint8') or .byte()"
        raise DataError(f"{name} has {kind} values; {_WANTED} are needed", hint)
    shape = tuple(video.shape)
    # grey becomes RGB, and RGB grey, as in files
    accepted = {channels, *((1, 3) if channels in (1, 3) else ())}
    if len(shape) != 4 or shape[3] not in accepted or not all(shape):
        raise DataError(
            f"{name} has the shape {shape}; {_WANTED}, here with C = {channels}, are needed",
            _suggest_layout(shape, channels),
        )
    if isinstance(video, torch.Tensor):
        frames_THWC: Frames = video.detach().cpu().numpy()
        return frames_THWC
    return video


def _suggest_layout(shape: tuple[int, ...], channels: int) -> str:
    if len(shape) == 5:
        return "give a list with one array for each video: list(videos)"
    if len(shape) == 4 and shape[1] == channels:
        return "from (T, C, H, W): video.transpose(0, 2, 3, 1), or video.permute(0, 2, 3, 1)"
    if len(shape) == 4 and shape[0] == channels:
        return "from (C, T, H, W): video.transpose(1, 2, 3, 0), or video.permute(1, 2, 3, 0)"
    return "one frame alone is frame[None]; a grey video needs its channels: video[..., None]"


def check_rate(fps: float | None, *, has_arrays: bool) -> None:
    """Raise a `UsageError` if a frame rate is wrong, or given for files only."""
    if fps is None:
        return
    if not 0 < fps < float("inf"):
        raise UsageError(f"fps={fps}: must be greater than 0", "frames per second of the array")
    if not has_arrays:
        raise UsageError(
            f"fps={fps:g} is the frame rate of arrays, and none is given",
            "leave out fps: the rate of a file is measured",
        )


def require_rate(name: str, fps: float, reason: str) -> None:
    """Raise a `UsageError` if the frame rate of an array is needed and unknown (0)."""
    if fps <= 0:
        raise UsageError(f"{name}: {reason}", "give fps=, the frames per second of the array")


def describe_rejected(rejected: Sequence[RejectedInput], count: int) -> DataError:
    """Return the error that names the videos which cannot be read."""
    first = "; ".join(f"{printable(one.name)}: {one.reason}" for one in rejected[:3])
    if count == 1:
        return DataError(first, "give the path of a video, or of a folder of frames")
    return DataError(
        f"{len(rejected):,} of {count:,} videos cannot be read: {first}"
        + ("; ..." if len(rejected) > 3 else ""),
        "replace these files or leave them out"
        + (", or give skip_unreadable=True" if len(rejected) < count else ""),
    )


def _name_file(video: object) -> str:
    if not isinstance(video, str | os.PathLike):
        raise UsageError(
            f"videos: a {type(video).__name__} is no video", "give paths, arrays or tensors"
        )
    name = os.fspath(video)
    if not isinstance(name, str):
        raise UsageError(f"{name!r}: a path of bytes", "give text: os.fsdecode(path)")
    return name


def _describe_array(frames_THWC: Frames, name: str, fps: float | None) -> Video:
    frames, height, width, _ = frames_THWC.shape
    return Video(name, None, SPLIT, frames, fps or 0.0, width, height, _DECODER)


def find_file(video: object) -> Path:
    """Return the path of a video that is no array; a `UsageError` if it is no path."""
    return Path(_name_file(video))

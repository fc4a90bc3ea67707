"""A video file and frame numbers in, pixels out; opened and closed inside the call.

One decoder thread, and no reader ever lives across a call, because readers that cross a fork hang
(dmlc/decord#294) and an open decord reader decodes ahead without bound (dmlc/decord#157). decord
comes from its maintained build, `decord2`. Where it cannot read a file (some widths: "The size must
exactly match"), PyAV takes over and the log says so.

Not covered: damage that decodes to garbage without an error (flipped bits) is invisible here.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data import pyav
from videomae_cli.errors import DataError

# two decoders convert 10-bit colour up to 3.6 levels apart on average
SAME_LEVELS = 8.0
TIME = re.compile(r"^\[\d\d:\d\d:\d\d\] ")
logger = logging.getLogger("videomae")

# text files that make FFmpeg open further files, and web pages saved under a video's name
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<", b"v=0", b"[playlist]")


class VideoInfo(NamedTuple):
    """What a video is, found by decoding all of it.

    `width` and `height` are upright, in pixels; `is_ordered` says that timestamps ascend from frame
    to frame, which in AVI files with B-frames they do not.
    """

    frames: int
    fps: float
    width: int
    height: int
    codec: str
    rotation: int
    is_ordered: bool = True


def probe_video(path: Path) -> VideoInfo:
    """Decode a whole video and count its frames; headers are not believed.

    Raises:
        DataError: The file is missing, empty, not a video, or stops decoding half-way.
    """
    check_file(path)
    frames, height, width, rotation = 0, 0, 0, 0
    times: list[int] = []
    with pyav.open_video(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        codec = str(stream.codec_context.name)
        for frame in container.decode(stream):
            if frames == 0:
                height, width, _ = pyav.pixels(frame).shape
                rotation = round(frame.rotation)
            frames += 1
            if frame.pts is not None:
                times.append(frame.pts)
    if frames == 0:
        raise DataError(f"{path}: not a single frame decodes", "replace the file or leave it out")
    is_ordered = all(now < later for now, later in pairwise(times))
    return VideoInfo(frames, fps, width, height, codec, rotation, is_ordered)


def read_frames(
    path: Path, indices: Sequence[int], *, decoder: str = "decord"
) -> NDArray[np.uint8]:
    """Read frames by number, in the order asked for; doubles are allowed.

    Args:
        path: A local file.
        indices: 0-based frame numbers.
        decoder: A key of `DECODERS`.

    Returns:
        T, H, W, 3: RGB, upright.

    Raises:
        DataError: The file is missing or cannot be decoded, or a number is out of range.
    """
    check_file(path)
    wanted = sorted(set(indices))
    if not wanted or wanted[0] < 0:
        raise DataError(f"{path}: {list(indices)} are not frame numbers")
    if decoder not in DECODERS:
        raise DataError(
            f"{path}: decoder {decoder!r} is not one of {', '.join(DECODERS)}",
            "run videomae prepare again",
        )
    frames = DECODERS[decoder](path, wanted)
    if wanted == list(indices):
        return frames
    place = {number: place for place, number in enumerate(wanted)}
    return frames[[place[number] for number in indices]]


def read_decord(path: Path, wanted: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, no doubles) with decord, or with PyAV where decord cannot.

    Raises:
        DataError: Neither can.
    """
    try:
        frames, length = _decord(path, wanted)
    except _decord_errors() as error:
        frames = pyav.read(path, wanted)
        _say_once(path, _reason(error))
        return frames
    if not len(frames):
        raise DataError(
            f"{path}: no frame {wanted[-1]}, it has {length}",
            "the file is shorter than the manifest says; run videomae prepare again",
        )
    return frames


DECODERS: dict[str, Callable[[Path, Sequence[int]], NDArray[np.uint8]]] = {
    "decord": read_decord,
    "pyav": pyav.read,
}


def choose_decoder(path: Path, info: VideoInfo) -> str:
    """Return "decord" where it finds the frames that PyAV finds, else "pyav".

    Frames far apart are compared: decord's must look like PyAV's frame of that number, and more so
    than like its neighbours. Files whose timestamps do not ascend are left to PyAV unseen: from
    packed B-frames decord makes frames up to 40 off, and from H.264 in AVI now and then (it races
    with itself) another last frame.

    Raises:
        DataError: Not even PyAV can read the file.
    """
    if not info.is_ordered:
        return "pyav"
    last = info.frames - 1
    probes = sorted({last * part // 4 for part in range(5)})
    around = sorted({min(max(probe + step, 0), last) for probe in probes for step in (-1, 0, 1)})
    right = dict(zip(around, pyav.read(path, around), strict=True))
    # open-GOP HEVC goes wrong only where a read begins with a seek: so each by itself, too
    for numbers in (probes, *([probe] for probe in probes[1:-1])):
        if not _decord_agrees(path, numbers, right, info.frames):
            return "pyav"
    return "decord"


def _decord_agrees(
    path: Path, numbers: Sequence[int], right: Mapping[int, NDArray[np.uint8]], frames: int
) -> bool:
    try:
        found, length = _decord(path, numbers)
    except _decord_errors():
        return False
    if length != frames or found.shape[1:] != right[0].shape:
        return False
    for number, frame in zip(numbers, found, strict=True):
        near = {other: _apart(frame, right[other]) for other in right if abs(other - number) < 2}
        if near[number] > min(SAME_LEVELS, *near.values()):
            return False
    return True


def check_file(path: Path) -> None:
    """Refuse what is no local video file before any decoder sees it.

    Raises:
        DataError: Missing, a folder, unreadable, empty, or text (a playlist, a web page).
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a video")
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "is the data root right?") from error
    if not head:
        raise DataError(f"{path} is empty", "fetch the file again")
    if head.startswith(PLAYLISTS):
        raise DataError(f"{path} is text (a playlist or a web page), not a video")


@lru_cache(maxsize=4096)
def _say_once(path: Path, reason: str) -> None:
    """Log that PyAV took over; a second call with the same words is silent."""
    logger.warning("%s: read with PyAV, because decord cannot: %s", path, reason)


def _reason(error: Exception) -> str:
    """Return the line of decord's message that says why, without time, source line and stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return TIME.sub("", lines[0])[:160] if lines else type(error).__name__


def _decord_errors() -> tuple[type[Exception], ...]:
    from decord import DECORDError

    return DECORDError, RuntimeError


def _decord(path: Path, wanted: Sequence[int]) -> tuple[NDArray[np.uint8], int]:
    """Return the frames (none when the last wanted is past the end) and how many there are."""
    # decord's threads advise both names; as it is, a damaged file is retried 10,240 times
    os.environ.setdefault("DECORD_EOF_RETRY_MAX", "512")
    os.environ.setdefault("DECORD_REWIND_RETRY_MAX", "16")
    from decord import VideoReader, cpu
    from decord import logging as ffmpeg_log

    ffmpeg_log.set_level(ffmpeg_log.QUIET)  # damage is told by the exception, not on the terminal
    reader = VideoReader(str(path.absolute()), ctx=cpu(0), num_threads=1)
    known = list(wanted) if wanted[-1] < len(reader) else []
    frames: NDArray[np.uint8] = (
        reader.get_batch(known).asnumpy() if known else np.empty((0, 0, 0, 3), np.uint8)
    )
    return frames, len(reader)


def _apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean difference in grey levels."""
    return float(np.abs(one.astype(np.int16) - other).mean())

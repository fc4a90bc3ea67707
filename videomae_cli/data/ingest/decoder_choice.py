"""Choose the decoder of a video: one that is faster than PyAV, if it finds the right frames."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding import h264, pyav
from videomae_cli.data.decoding.readers.decord_reader import decord_frames
from videomae_cli.data.decoding.video_info import VideoInfo
from videomae_cli.errors import DataError

Read = Callable[[Path, Sequence[int]], tuple[NDArray[np.uint8], int]]
SAMPLE = 250  # packets, of which so many are enough for PyAV to be the faster decoder
LEAST_SHARE = 1 / 8


def choose_decoder(path: Path, info: VideoInfo) -> str:
    """Return "decord" for a video that it reads faster, and as PyAV does, else "pyav".

    PyAV is faster for H.264 with pictures that no other picture needs, because it does not decode
    those that are not asked for: most videos with B-frames.

    Raises:
        DataError: PyAV cannot read the frames a second time.
    """
    if info.pyav_reason or _has_droppable_pictures(path):
        return "pyav"
    return "decord" if decord_is_right(path, info) else "pyav"


def _has_droppable_pictures(path: Path) -> bool:
    """Return whether PyAV can leave out a good part of the pictures of a video."""
    with pyav.open_video(path) as (container, stream):
        length_bytes = h264.find_length_bytes(stream.codec_context)
        if length_bytes is None or not container.format.name.startswith(pyav.SEEKABLE):
            return False
        packets = islice((one for one in container.demux(stream) if one.size), SAMPLE)
        is_needed = [h264.is_reference(packet, length_bytes) for packet in packets]
    return is_needed.count(False) >= LEAST_SHARE * len(is_needed)


def decord_is_right(path: Path, info: VideoInfo) -> bool:
    """Return whether decord finds the frames that PyAV finds, to the bit.

    Five frames that are far apart are compared, read together and alone. Where decord is right, its
    frames of 8-bit video are equal to PyAV's in all real files at hand (so a still scene hides no
    shift), except that odd heights or widths with subsampled colour, and more than 8 bits, are
    converted differently, up to 132 levels: such files are left to PyAV as well.
    Files whose timestamps do not ascend always use PyAV: decord's frames of packed B-frames are off
    by up to 40, and its last frame of H.264 in AVI sometimes differs between reads (a race inside
    decord).

    Raises:
        DataError: PyAV cannot read the frames a second time.
    """
    return _is_right(decord_frames, path, info)


def torchcodec_is_right(path: Path, info: VideoInfo) -> bool:
    """Return whether torchcodec finds the frames that PyAV finds, to the bit.

    The same frames are compared. It converts more than 8 bits and interlaced video differently, and
    shows transparent pixels otherwise: such files are left to PyAV as well.

    Raises:
        DataError: PyAV cannot read the frames a second time.
        UsageError: torchcodec is not installed.
    """
    from videomae_cli.data.decoding.readers.torchcodec_reader import torchcodec_frames

    return _is_right(torchcodec_frames, path, info)


def _is_right(read: Read, path: Path, info: VideoInfo) -> bool:
    if info.pyav_reason:
        return False
    last = info.frames - 1
    tested = sorted({last * part // 4 for part in range(5)})
    reference = dict(zip(tested, pyav.read(path, tested), strict=True))
    # open-GOP HEVC fails only if a read begins with a seek: so each frame is also read alone
    return all(
        _agrees(read, path, numbers, reference, info.frames)
        for numbers in (tested, *([number] for number in tested[1:-1]))
    )


def _agrees(
    read: Read,
    path: Path,
    numbers: Sequence[int],
    reference: Mapping[int, NDArray[np.uint8]],
    frames: int,
) -> bool:
    try:
        found, length = read(path, numbers)
    except DataError:
        return False
    return length == frames and all(
        np.array_equal(frame, reference[number])
        for number, frame in zip(numbers, found, strict=True)
    )

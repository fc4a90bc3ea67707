"""Choose the decoder of a video: decord if its frames equal those of PyAV, else PyAV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding import pyav
from videomae_cli.data.decoding.decord_reader import decord_frames
from videomae_cli.data.decoding.video_info import VideoInfo
from videomae_cli.errors import DataError


def choose_decoder(path: Path, info: VideoInfo) -> str:
    """Return "decord" if it finds the frames that PyAV finds, to the bit, else "pyav".

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
    if info.pyav_reason:
        return "pyav"
    last = info.frames - 1
    tested = sorted({last * part // 4 for part in range(5)})
    reference = dict(zip(tested, pyav.read(path, tested), strict=True))
    # open-GOP HEVC fails only if a read begins with a seek: so each frame is also read alone
    for numbers in (tested, *([number] for number in tested[1:-1])):
        if not _decord_agrees(path, numbers, reference, info.frames):
            return "pyav"
    return "decord"


def _decord_agrees(
    path: Path, numbers: Sequence[int], reference: Mapping[int, NDArray[np.uint8]], frames: int
) -> bool:
    try:
        read, length = decord_frames(path, numbers)
    except DataError:
        return False
    return length == frames and all(
        np.array_equal(frame, reference[number])
        for number, frame in zip(numbers, read, strict=True)
    )

"""Choose the decoder of a video: decord if its frames equal those of PyAV, else PyAV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import decord_errors, decord_frames
from videomae_cli.data.decoding import pyav
from videomae_cli.data.decoding.video_info import VideoInfo

# mean difference in grey levels up to which two frames count as equal: two decoders convert 10-bit
# colour up to 3.6 levels apart
MAX_DIFFERENCE = 8.0


def choose_decoder(path: Path, info: VideoInfo) -> str:
    """Return "decord" if it finds the frames that PyAV finds, else "pyav".

    Five frames that are far apart are compared: each of decord's frames must be close to PyAV's
    frame of that number, and closer than to the frames before and after it. Files whose timestamps
    do not ascend always use PyAV: decord's frames of packed B-frames are off by up to 40, and its
    last frame of H.264 in AVI sometimes differs between reads (a race inside decord).
    """
    if not info.is_ordered:
        return "pyav"
    last = info.frames - 1
    tested = sorted({last * part // 4 for part in range(5)})
    compared = sorted(
        {min(max(number + step, 0), last) for number in tested for step in (-1, 0, 1)}
    )
    reference = dict(zip(compared, pyav.read(path, compared), strict=True))
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
    except decord_errors():
        return False
    if length != frames or read.shape[1:] != reference[0].shape:
        return False
    for number, frame in zip(numbers, read, strict=True):
        differences = {
            other: _mean_difference(frame, reference[other])
            for other in reference
            if abs(other - number) < 2
        }
        if differences[number] > min(MAX_DIFFERENCE, *differences.values()):
            return False
    return True


def _mean_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())

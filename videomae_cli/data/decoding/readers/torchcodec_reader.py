"""Read frames with torchcodec: an extra, which uses the FFmpeg libraries of the system.

A frame number is a position in the order of the timestamps of all packets (the exact seek mode,
which reads the whole file each time). Frames are decoded by one thread, on the CPU, and upright.

torchcodec seeks behind the frame in transport and program streams, returns a later one and raises
no error; it does not know mirrored frames, and drops transparency. So `prepare` compares its
frames with those of PyAV first.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import first_line, past_end_error
from videomae_cli.errors import DataError, UsageError

HINT = (
    "pip install 'videomae[torchcodec]' and install FFmpeg with its shared libraries (apt install "
    "ffmpeg, conda install ffmpeg), or prepare the videos with --decoder auto"
)


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) with torchcodec.

    Raises:
        DataError: torchcodec fails, or the last number is past the end.
        UsageError: torchcodec or FFmpeg is missing.
    """
    try:
        frames, length = torchcodec_frames(path, indices)
    except DataError as error:
        raise DataError(
            f"{path}: torchcodec cannot decode it: {error.message}",
            "the file is damaged or has changed; replace it, or run videomae prepare again",
        ) from error
    if not len(frames):
        raise past_end_error(path, indices[-1], length)
    return frames


def torchcodec_frames(path: Path, indices: Sequence[int]) -> tuple[NDArray[np.uint8], int]:
    """Read frames (ascending, without duplicates) with torchcodec.

    Returns the frames (none if the last number is past the end) and the frame count of the video.

    Raises:
        DataError: torchcodec fails; the message is the first line of its own.
        UsageError: torchcodec or FFmpeg is missing.
    """
    decoders = import_torchcodec()
    try:
        # an open file has a name of any bytes, and cannot refer to other files
        with path.open("rb") as file:
            decoder = decoders.VideoDecoder(
                file,
                dimension_order="NHWC",
                num_ffmpeg_threads=1,
                device="cpu",
                seek_mode="exact",
            )
            existing = list(indices) if indices[-1] < len(decoder) else []
            frames: NDArray[np.uint8] = (
                decoder.get_frames_at(existing).data.numpy()
                if existing
                else np.empty((0, 0, 0, 3), np.uint8)
            )
            return frames, len(decoder)
    except Exception as error:
        raise DataError(first_line(error)) from error


@lru_cache(maxsize=1)
def import_torchcodec() -> ModuleType:
    """Return the module `torchcodec.decoders`.

    Raises:
        UsageError: The package is not installed, or it finds no FFmpeg that it can use.
    """
    try:
        import torchcodec
        import torchcodec.decoders
    except Exception as error:  # a RuntimeError or an OSError for libraries that do not load
        raise UsageError(
            f"the decoder torchcodec cannot be imported: {first_line(error)}", HINT
        ) from error
    if torchcodec.ffmpeg_major_version is None:
        raise UsageError(
            "the decoder torchcodec cannot load the shared libraries of FFmpeg (versions 4 to 9), "
            "or does not fit to the version of torch",
            f"{HINT}; to see its error message: python -c 'from torchcodec.decoders import "
            'VideoDecoder; VideoDecoder("a.mp4")\'',
        )
    decoders: ModuleType = torchcodec.decoders
    return decoders

"""Read a frame that is stored as a NumPy array: pixels with any number of channels from 1 to 8."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.video_info import check_size
from videomae_cli.errors import DataError

SUFFIX = ".npy"
MAX_CHANNELS = 8
HINT = "write each frame as uint8, height x width x channels, with np.save"
VIDEO_NOTE = "; a file with all frames of a video is listed by its path, in a CSV"


def read_array(path: Path) -> NDArray[np.uint8]:
    """Read a frame (H, W, C), uint8; an array of two axes has one channel.

    Raises:
        DataError: The file is no such array, or is damaged. Pickled objects are never loaded.
    """
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)  # only its header, so far
    except Exception as error:  # damaged files raise many classes
        raise DataError(f"{path} is not an array of numbers: {error}", HINT) from error
    if stored.dtype != np.uint8:
        raise DataError(f"{path} contains {stored.dtype} values, not uint8", HINT)
    array = stored[..., None] if stored.ndim == 2 else stored
    if array.ndim != 3 or not 1 <= array.shape[2] <= MAX_CHANNELS or not array.size:
        shape = " x ".join(map(str, stored.shape))
        raise DataError(
            f"{path} is an array of {shape or 'one value'}, and a frame is height x width x"
            f" channels, with 1 to {MAX_CHANNELS} channels{VIDEO_NOTE if array.ndim == 4 else ''}",
            HINT,
        )
    check_size(path, array.shape[1], array.shape[0])
    return np.array(array)

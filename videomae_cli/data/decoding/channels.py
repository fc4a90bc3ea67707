"""Frames with another number of channels: grey from RGB, RGB from grey, and RGB to be shown.

Shapes: T frames, H height, W width, C channels, uint8.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError

# ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B, in units of 1 / 65536; they add up to 65536
RED, GREEN, BLUE = 19595, 38470, 7471
HALF = 32768


def convert_channels(
    path: Path, frames_THWC: NDArray[np.uint8], channels: int
) -> NDArray[np.uint8]:
    """Return the frames of a video with `channels` channels.

    Raises:
        DataError: They cannot be computed: only 1 from 3, and 3 from 1, can.
    """
    stored = frames_THWC.shape[3]
    if stored == channels:
        return frames_THWC
    if (stored, channels) == (3, 1):
        return compute_luma(frames_THWC)
    if (stored, channels) == (1, 3):
        return frames_THWC.repeat(3, axis=3)
    raise DataError(
        f"{path} has {stored} channel{'s' if stored > 1 else ''}, and clip.channels is {channels}",
        "clip.channels can be 1 (grey) or 3 (RGB) for videos and images; other numbers need folders"
        " of .npy frames (uint8, height x width x channels) with as many channels",
    )


def show_as_rgb(frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames of any number of channels as RGB: the first channel as grey below three."""
    if frames_THWC.shape[3] < 3:
        return frames_THWC[..., :1].repeat(3, axis=3)
    return frames_THWC[..., :3]


def compute_luma(rgb_THWC: NDArray[np.uint8], copies: int = 1) -> NDArray[np.uint8]:
    """Return grey frames (T, H, W, 1) from RGB: (19595 R + 38470 G + 7471 B + 32768) // 65536.

    `copies`: number of channels, all with the same value. A grey pixel keeps its value: R = G = B =
    v gives v, for every v. Equal to Pillow's mode L.
    """
    grey = np.empty((*rgb_THWC.shape[:3], copies), np.uint8)
    weights = np.array([[RED], [GREEN], [BLUE]], np.float32).repeat(copies, axis=1)
    for rgb_HWC, grey_HWC in zip(rgb_THWC, grey, strict=True):  # one frame fits into the CPU cache
        sums = rgb_HWC.reshape(-1, 3).astype(np.float32) @ weights  # exact: integers below 2^24
        sums += HALF
        sums /= 65536
        grey_HWC[:] = sums.astype(np.uint8).reshape(grey_HWC.shape)
    return grey

"""Cut the test crops from the frames of a clip, by the rules of a protocol.

Shapes: T frames, H height, W width, C channels, uint8 unless stated.
Sources: the test transforms of VideoMAE V1, MMAction2 and PySlowFast, restated.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from videomae_cli.config.protocols import Rules
from videomae_cli.data.resize import Frames, find_cover, resize_linear

Pixel = TypeVar("Pixel", np.uint8, np.float32)
Offsets = Callable[[int, int, int], list[int]]


def crop_offsets(long: int, size: int, crops: int) -> list[int]:
    """Return the start of each crop along the long side, in pixels; a single crop is centred."""
    if crops == 1:
        return [round((long - size) / 2)]  # half to even, as in the original's validation crop
    return [j * (long - size) // (crops - 1) for j in range(crops)]


def mmaction2_offsets(long: int, size: int, crops: int) -> list[int]:
    """Return the starts of MMAction2's crops, in ascending order; the last may miss one pixel."""
    quarter = (long - size) // 2
    return [quarter] if crops == 1 else [2 * quarter * j // (crops - 1) for j in range(crops)]


def pyslowfast_offsets(long: int, size: int, crops: int) -> list[int]:
    """Return the starts of PySlowFast's crops: the centre is rounded up."""
    spare = long - size
    return [-(-spare // 2)] if crops == 1 else [-(-spare * j // (crops - 1)) for j in range(crops)]


def cut_eval_crops(
    frames_THWC: Frames, height: int, width: int, crops: int, rules: Rules = "checkpoint"
) -> list[Frames]:
    """Return `crops` parts of height x width pixels, left to right, or top to bottom.

    The frames are scaled until they just cover a crop; crops differ along the side that exceeds it.
    """
    size = cover(frames_THWC.shape[1], frames_THWC.shape[2], height, width, rules)
    return _cut(resize_linear(frames_THWC, *size), height, width, crops, rules)


def cut_unrounded_crops(
    frames_THWC: Frames, height: int, width: int, crops: int
) -> list[NDArray[np.float32]]:
    """Return the crops of PySlowFast: float32 pixels (0..255) that were not rounded to 8 bits."""
    size = cover(frames_THWC.shape[1], frames_THWC.shape[2], height, width)
    return _cut(_resize_float(frames_THWC, *size), height, width, crops, "pyslowfast")


def _cut(
    frames_THWC: NDArray[Pixel], height: int, width: int, crops: int, rules: Rules
) -> list[NDArray[Pixel]]:
    offsets = _OFFSETS.get(rules, crop_offsets)
    long_height, long_width = frames_THWC.shape[1:3]
    if long_width > width:
        starts = offsets(long_width, width, crops)
        return [frames_THWC[:, :, left : left + width] for left in starts]
    starts = offsets(long_height, height, crops)
    return [frames_THWC[:, top : top + height] for top in starts]


def cover(
    full_height: int, full_width: int, height: int, width: int, rules: Rules = "checkpoint"
) -> tuple[int, int]:
    """Return the size to which a frame is scaled so that it covers a crop: see `find_cover`."""
    return find_cover(full_height, full_width, height, width, to_nearest=rules == "mmaction2")


def _resize_float(frames_THWC: Frames, height: int, width: int) -> NDArray[np.float32]:
    """Resize bilinearly without antialiasing and without rounding to 8 bits."""
    pixels_TCHW = torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(0, 3, 1, 2).float()
    if frames_THWC.shape[1:3] != (height, width):
        pixels_TCHW = functional.interpolate(pixels_TCHW, (height, width), mode="bilinear")
    scaled_THWC: NDArray[np.float32] = pixels_TCHW.permute(0, 2, 3, 1).numpy()
    return scaled_THWC


_OFFSETS: dict[Rules, Offsets] = {
    "mmaction2": mmaction2_offsets,
    "pyslowfast": pyslowfast_offsets,
}

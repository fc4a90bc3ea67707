"""Bilinear resizing without antialias, bit for bit as OpenCV does it on 8-bit images.

The published accuracies rest on that arithmetic; antialiased resizing moves every pixel by some
levels.

Shapes: T frames, H height, W width, 3 colours, all uint8. Source: OpenCV's fixed-point scheme (11
fractional bits per axis), restated in `spec/evaluation.md` §3.3.
"""

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
ONE = 2048  # a weight of one, in fixed point


def resize_linear(frames_THWC: Frames, height: int, width: int) -> Frames:
    """Resize every frame to height x width pixels; frames of that size come back as they are."""
    if frames_THWC.shape[1:3] == (height, width):
        return frames_THWC
    top, bottom, weight_top, weight_bottom = _taps(frames_THWC.shape[1], height)
    left, right, weight_left, weight_right = _taps(frames_THWC.shape[2], width)
    out = np.empty((len(frames_THWC), height, width, 3), np.uint8)
    for frame, result in zip(
        frames_THWC, out, strict=True
    ):  # one frame at a time stays in the cache
        wide = frame.astype(np.int32)
        rows = wide[:, left] * weight_left[:, None] + wide[:, right] * weight_right[:, None]
        rows >>= 4
        upper = (rows[top] * weight_top[:, None, None]) >> 16
        lower = (rows[bottom] * weight_bottom[:, None, None]) >> 16
        result[:] = ((upper + lower + 2) >> 2).clip(0, 255)
    return out


def _taps(
    size: int, out_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
    """Return, for each output pixel, its two neighbours in the input and their weights."""
    scale = np.float64(size) / out_size
    place = ((np.arange(out_size) + 0.5) * scale - 0.5).astype(np.float32)
    low = np.floor(place).astype(np.intp)
    part = place - low.astype(np.float32)
    part[(low < 0) | (low >= size - 1)] = 0
    low = low.clip(0, size - 1)
    high = np.minimum(low + 1, size - 1)
    weight_high = np.rint(part * ONE).astype(np.int32)
    weight_low = np.rint((1 - part) * ONE).astype(np.int32)
    return low, high, weight_low, weight_high

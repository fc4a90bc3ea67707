"""Bilinear resizing without antialiasing, bit for bit equal to OpenCV on 8-bit images.

The published accuracies were measured with this arithmetic.

Shapes: T frames, H height, W width, C channels, all uint8.
Source: OpenCV's well-known fixed-point scheme (11 fractional bits per axis).
"""

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
ONE = 2048  # the weight 1.0 in fixed point


def resize_to_cover(frames_THWC: Frames, height: int, width: int) -> Frames:
    """Resize, with the aspect ratio kept, to the smallest frame that covers height x width."""
    full_height, full_width = frames_THWC.shape[1:3]
    return resize_linear(frames_THWC, *find_cover(full_height, full_width, height, width))


def find_cover(
    full_height: int, full_width: int, height: int, width: int, *, to_nearest: bool = False
) -> tuple[int, int]:
    """Return height and width of the smallest frame of an aspect ratio that covers height x width.

    One side is exactly `height` or `width`; the other, at least as long as needed, is rounded down,
    or to the nearest integer. For squares the shorter side of the frame becomes that of the square.
    """

    def scale(long: int, size: int, short: int) -> int:
        return int(long * (size / short) + 0.5) if to_nearest else size * long // short

    if height * full_width >= width * full_height:
        return height, scale(full_width, height, full_height)
    return scale(full_height, width, full_width), width


def center_crop(frames_THWC: Frames, height: int, width: int) -> Frames:
    """Resize to cover height x width, and cut this rectangle from the middle."""
    scaled = resize_to_cover(frames_THWC, height, width)
    top, left = (
        round((side - cut) / 2)  # half to even, as in VideoMAE V1
        for side, cut in zip(scaled.shape[1:3], (height, width), strict=True)
    )
    return scaled[:, top : top + height, left : left + width]


def resize_linear(frames_THWC: Frames, height: int, width: int) -> Frames:
    """Resize every frame to height x width pixels; frames of that size are returned unchanged."""
    if frames_THWC.shape[1:3] == (height, width):
        return frames_THWC
    top, bottom, weight_top, weight_bottom = _interpolation_weights(frames_THWC.shape[1], height)
    left, right, weight_left, weight_right = _interpolation_weights(frames_THWC.shape[2], width)
    used_rows, positions = np.unique(np.concatenate([top, bottom]), return_inverse=True)
    top, bottom = positions[:height], positions[height:]
    channels = frames_THWC.shape[3]
    # a row has W * C values here, so that neighbours along x can be gathered with `take`
    columns = [(side[:, None] * channels + np.arange(channels)).ravel() for side in (left, right)]
    along_x = [np.repeat(weight, channels) for weight in (weight_left, weight_right)]
    along_y = weight_top[:, None], weight_bottom[:, None]
    out = np.empty((len(frames_THWC), height, width * channels), np.uint8)
    for frame, result in zip(frames_THWC, out, strict=True):  # one frame fits into the CPU cache
        source = frame[used_rows].reshape(len(used_rows), -1)
        rows = source.take(columns[0], axis=1) * along_x[0]
        rows += source.take(columns[1], axis=1) * along_x[1]
        rows >>= 4
        upper, lower = rows[top], rows[bottom]
        upper *= along_y[0]
        lower *= along_y[1]
        upper >>= 16
        lower >>= 16
        upper += lower
        upper += 2
        upper >>= 2
        result[:] = upper
    return out.reshape(len(out), height, width, channels)


def _interpolation_weights(
    size: int, out_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
    """Return the two neighbours of each output pixel in the input, and their weights."""
    scale = np.float64(size) / out_size
    position = ((np.arange(out_size) + 0.5) * scale - 0.5).astype(np.float32)
    low = np.floor(position).astype(np.intp)
    fraction = position - low.astype(np.float32)
    fraction[(low < 0) | (low >= size - 1)] = 0
    low = low.clip(0, size - 1)
    high = np.minimum(low + 1, size - 1)
    weight_high = np.rint(fraction * ONE).astype(np.int32)
    weight_low = np.rint((1 - fraction) * ONE).astype(np.int32)
    return low, high, weight_low, weight_high

"""Operations that depend on the content of a frame, with the pixels of Pillow.

Shapes: T frames, H height, W width, RGB, uint8.
Source: Pillow's ImageEnhance and ImageOps.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.data.decoding.channels import compute_luma
from videomae_cli.data.resize import Frames

SMOOTH_SUM = 13  # of the weights of Pillow's filter SMOOTH: 5 in the centre, 1 for 8 neighbours


def adjust_colour(frames_THW3: Frames, factor: float) -> Frames:
    """Blend each frame with its grey version; factor 0 is grey, 1 changes nothing."""
    out = np.empty_like(frames_THW3)
    for frame, result in zip(frames_THW3, out, strict=True):
        result[:] = _blend(compute_luma(frame[None], 3)[0], frame, factor)
    return out


def sharpen(frames_THW3: Frames, factor: float) -> Frames:
    """Blend each frame with a smooth version; factor 0 is smooth, 1 changes nothing."""
    out = np.empty_like(frames_THW3)
    for frame, result in zip(frames_THW3, out, strict=True):
        result[:] = _blend(_smooth(frame), frame, factor)
    return out


def contrast_tables(frames_THW3: Frames, factor: float) -> NDArray[np.uint8]:
    """Return a table (T, 256) for each frame: a blend of values with the mean grey of the frame."""
    values = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    tables = np.empty((len(frames_THW3), 256), np.uint8)
    for frame, table in zip(frames_THW3, tables, strict=True):
        luma = compute_luma(frame[None])
        mean = int(int(luma.sum(dtype=np.int64)) / luma.size + 0.5)
        table[:] = _blend(np.full_like(values, mean), values, factor).ravel()
    return tables


def has_full_range(frame_HW3: Frames) -> bool:
    """Return whether all channels contain 0 and 255, or one value only: nothing to stretch."""
    rows = frame_HW3.reshape(len(frame_HW3), -1)
    low, high = (side.reshape(-1, 3) for side in (rows.min(axis=0), rows.max(axis=0)))
    low, high = low.min(axis=0), high.max(axis=0)
    return bool(((low == high) | ((low == 0) & (high == 255))).all())


def _blend(first: Frames, second: Frames, factor: float) -> Frames:
    """Blend two images by Pillow; all channels of a pixel are values of a grey image to it."""
    images = [
        Image.fromarray(np.ascontiguousarray(x).reshape(len(first), -1)) for x in (first, second)
    ]
    return np.asarray(Image.blend(images[0], images[1], factor)).reshape(second.shape)


def _smooth(frame_HW3: Frames) -> Frames:
    """Return the weighted mean of 3 x 3 pixels, rounded; the border is unchanged.

    No mean is halfway between two integers, since 13 is odd: single precision is enough.
    """
    out = frame_HW3.copy()
    if min(frame_HW3.shape[:2]) < 3:
        return out
    values = frame_HW3.reshape(len(frame_HW3), -1)  # neighbours along a row are 3 values apart
    columns = values[:-2].astype(np.uint16)
    columns += values[1:-1]
    columns += values[2:]
    sums = columns[:, :-6] + columns[:, 3:-3]
    sums += columns[:, 6:]
    centre = values[1:-1, 3:-3].astype(np.uint16)
    centre *= 4
    sums += centre
    means = sums.astype(np.float32)
    means *= np.float32(1 / SMOOTH_SUM)
    means += np.float32(0.5)
    out.reshape(values.shape)[1:-1, 3:-3] = means.astype(np.uint8)
    return out

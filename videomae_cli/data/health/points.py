"""Brightness of a frame at a grid of 64 x 64 points: little work, whatever the size of the frame.

Shapes: H height and W width of a frame, P points in a column or a row.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.channels import compute_luma

POINTS = 64
FULL_RANGE = 2  # AVCOL_RANGE_JPEG: brightness 0..255 instead of 16..235
BLACK_LEVEL, WHITE_LEVEL = 16, 235

Points = NDArray[np.uint8]


def read_points(frame: Any) -> Points:
    """Return the brightness (P, P) of a decoded frame as it is stored, 0..255.

    The brightness plane of a planar YUV frame is read where it is; other frames are converted.
    """
    layout = frame.format
    is_yuv = layout.is_planar and not layout.is_rgb and layout.name.startswith(("yuv", "nv12"))
    bits = layout.components[0].bits
    if not is_yuv or layout.is_big_endian:
        rgb_HWC = frame.reformat(width=POINTS, height=POINTS, format="rgb24").to_ndarray()
        return select_points(rgb_HWC)
    plane = frame.planes[0]
    values: NDArray[Any] = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
    values_HX = values.reshape(plane.height, -1)
    points_PP: Points = values_HX[_places(frame.height)][:, _places(frame.width)]
    if bits > 8:
        points_PP = (points_PP >> (bits - 8)).astype(np.uint8)
    is_full = layout.name.startswith("yuvj") or frame.color_range == FULL_RANGE
    return points_PP if is_full else _LEVELS.take(points_PP)


def select_points(frame_HWC: NDArray[np.uint8]) -> Points:
    """Return the brightness (P, P) of a frame of pixels; the first channel if it is not RGB."""
    height, width, channels = frame_HWC.shape
    points_PPC = frame_HWC[_places(height)][:, _places(width)]
    if channels == 3:
        points_PPC = compute_luma(points_PPC[None])[0]
    return points_PPC[:, :, 0]


def _places(side: int) -> NDArray[np.intp]:
    return (np.arange(POINTS) * side + side // 2) // POINTS


def _full_range() -> NDArray[np.uint8]:
    levels = (np.arange(256) - BLACK_LEVEL) * 255 / (WHITE_LEVEL - BLACK_LEVEL)
    return np.rint(levels).clip(0, 255).astype(np.uint8)


_LEVELS = _full_range()

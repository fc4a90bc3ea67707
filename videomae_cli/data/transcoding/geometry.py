"""The size of stored frames: square pixels, even sides, never larger than the source.

Shapes: H height, W width, C channels, uint8.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.errors import DataError

# widths whose frames decord cannot read ("The size must exactly match"), measured with decord 0.6.0
# and decord2 3.4.0 on all even widths from 16 to 518; below, it reads few
WIDTHS_TO_AVOID = (16, 24, 32, 48, 72, 96, 144)
MAX_ASPECT = 8  # a pixel that is wider or higher than that is a mistake in the file
MAX_CUT = 3  # pixels that are cut off rather than resizing the whole frame


def find_frame_size(width: int, height: int, aspect: Fraction, short_side: int) -> tuple[int, int]:
    """Return width and height of the stored frames, in pixels.

    Args:
        width: Of the source, upright.
        height: Of the source, upright.
        aspect: Width over height of a pixel of the source.
        short_side: The largest short side.

    Raises:
        DataError: The pixels have an absurd shape.
    """
    if not Fraction(1, MAX_ASPECT) <= aspect <= MAX_ASPECT:
        raise DataError(f"pixels of {aspect.numerator}:{aspect.denominator} are not plausible")
    shown = width * aspect, Fraction(height)
    scale = min(Fraction(1), short_side // 2 * 2 / min(shown))
    out_width, out_height = (
        max(2, int(side) // 2 * 2) if scale == 1 else max(2, round(side * scale / 2) * 2)
        for side in shown
    )
    return out_width - 2 * (out_width in WIDTHS_TO_AVOID), out_height


def fit_frame(frame_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a frame of this size, in one block of memory: cut if a few pixels differ, or resized.

    Bicubic with antialiasing, channel by channel for other than RGB.
    """
    full_height, full_width, channels = frame_HWC.shape
    if 0 <= full_height - height <= MAX_CUT and 0 <= full_width - width <= MAX_CUT:
        return np.ascontiguousarray(frame_HWC[:height, :width])
    parts = [frame_HWC] if channels == 3 else np.split(frame_HWC, channels, axis=2)
    resized = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(part if channels == 3 else part[:, :, 0])).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        ).reshape(height, width, -1)
        for part in parts
    ]
    return resized[0] if channels == 3 else np.concatenate(resized, axis=2)

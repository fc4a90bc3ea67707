"""VideoMAE's rule for the size of frames, written apart from the package, to compare with."""

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.resize import resize_linear


def resize_short_side(frames_THWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize so that the shorter side is `size` pixels, up or down; the longer is rounded down."""
    height, width = frames_THWC.shape[1:3]
    if width <= height:
        return resize_linear(frames_THWC, size * height // width, size)
    return resize_linear(frames_THWC, size, size * width // height)

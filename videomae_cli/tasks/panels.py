"""The rows of a picture: frames, frames with their hidden tokens covered, errors as heat.

Shapes: T frames, H W pixels, C channels; t h w tokens along an axis.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from videomae_cli.grid import TokenGrid

Frames = NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)
COVER, SEAM = (203, 206, 212), (184, 188, 196)  # a hidden token, and the line between two
SMALLEST = 176  # pixels of a drawn frame; smaller clips are enlarged by whole numbers


class Panel(NamedTuple):
    """One way of looking at a clip."""

    title: str
    note: str
    """What the viewer must know to read it; lines."""
    frames_THWC: Frames


def enlarge(frames_THWC: Frames) -> Frames:
    """Repeat pixels until a frame is large enough to look at."""
    factor = max(1, -(-SMALLEST // min(frames_THWC.shape[1:3])))
    return frames_THWC.repeat(factor, axis=1).repeat(factor, axis=2)


def cover(frames_THWC: Frames, hidden_thw: NDArray[np.bool_], grid: TokenGrid) -> Frames:
    """Cover the hidden tokens of enlarged frames, with seams that show where each one ends."""
    factor = frames_THWC.shape[1] // grid.height
    side = grid.patch * factor
    token = np.full((side, side, 3), COVER, np.uint8)
    token[-1, :] = token[:, -1] = SEAM
    tiled = np.tile(token, (grid.h, grid.w, 1))
    hidden_THW1 = _per_pixel(hidden_thw, grid, side)[..., None]
    return np.where(hidden_THW1, tiled, frames_THWC)


def heat(error_thw: NDArray[np.float32], frames_THWC: Frames, grid: TokenGrid) -> Frames:
    """Colour each token by its error, black for 0 and bright for the largest; NaN is covered."""
    from matplotlib import colormaps

    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    top = max(float(np.nanmax(error_thw)), 1e-6) if np.isfinite(error_thw).any() else 1.0
    colours = colormaps["magma"](np.nan_to_num(error_thw) / top, bytes=True)[..., :3]
    colours = np.where(np.isnan(error_thw)[..., None], np.array(COVER, np.uint8), colours)
    return _per_pixel(colours.astype(np.uint8), grid, side)


def _per_pixel(values_thw: NDArray[Scalar], grid: TokenGrid, side: int) -> NDArray[Scalar]:
    return values_thw.repeat(grid.tubelet, axis=0).repeat(side, axis=1).repeat(side, axis=2)

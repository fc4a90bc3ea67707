"""The rows of a picture: frames, frames with their hidden tokens covered, numbers as heat.

Covers differ in lightness and in pattern, so that they can be told apart without seeing colour.

Shapes: T frames, H W pixels, C channels; t h w tokens along an axis.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.token_states import State, States

Frames = NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)
COVER, SEAM = (203, 206, 212), (184, 188, 196)  # a hidden token, and the line between two
STRIPE = (132, 139, 152)  # across a token that is left out
DARK, DARK_SEAM = (44, 49, 60), (74, 81, 95)  # a dropped token, and the line between two
SMALLEST = 176  # pixels of a drawn frame; smaller clips are enlarged by whole numbers


class Scale(NamedTuple):
    """What the colours of a heat map mean."""

    colours: str
    """A colour map of matplotlib, equally bright steps for equal differences."""
    top: float
    """The number its last colour stands for; its first is 0."""
    mark: float
    """A number worth a mark."""
    words: str
    """What the mark says."""


class Panel(NamedTuple):
    """One way of looking at a clip."""

    title: str
    note: str
    """What the viewer must know to read it; lines."""
    frames_THWC: Frames
    scale: Scale | None = None


def enlarge(frames_THWC: Frames) -> Frames:
    """Repeat pixels until a frame is large enough to look at."""
    factor = max(1, -(-SMALLEST // min(frames_THWC.shape[1:3])))
    return frames_THWC.repeat(factor, axis=1).repeat(factor, axis=2)


def cover(frames_THWC: Frames, states_thw: States, grid: TokenGrid) -> Frames:
    """Cover the hidden tokens of enlarged frames, as their `State` asks."""
    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    states_THW1 = _per_pixel(states_thw, grid, side)[..., None]
    covered_THWC = frames_THWC
    for state in (State.TARGET, State.LEFT_OUT, State.DROPPED):
        tiled = np.tile(tile(state, side), (grid.h, grid.w, 1))
        covered_THWC = np.where(states_THW1 == state, tiled, covered_THWC)
    return covered_THWC


def tile(state: State, side: int) -> Frames:
    """Draw what covers a hidden token of this many pixels, with a seam to the next: H, W, C."""
    flat, seam = (DARK, DARK_SEAM) if state is State.DROPPED else (COVER, SEAM)
    token = np.full((side, side, 3), flat, np.uint8)
    if state is State.LEFT_OUT:
        steps = np.arange(side)
        # twice across a token, so that stripes go on in the next one
        token[(steps[:, None] + steps) * 4 // side % 2 == 1] = STRIPE
    token[-1, :] = token[:, -1] = seam
    return token


def heat(
    values_thw: NDArray[np.float32],
    frames_THWC: Frames,
    grid: TokenGrid,
    *,
    colours: str = "magma",
) -> Frames:
    """Colour each token by a number, from 0 to the largest; NaN is covered."""
    from matplotlib import colormaps

    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    shades = colormaps[colours](np.nan_to_num(values_thw) / top_of(values_thw), bytes=True)
    shades = np.where(np.isnan(values_thw)[..., None], np.array(COVER, np.uint8), shades[..., :3])
    return _per_pixel(shades.astype(np.uint8), grid, side)


def top_of(values_thw: NDArray[np.float32]) -> float:
    """Return what the brightest colour stands for."""
    return max(float(np.nanmax(values_thw)), 1e-6) if np.isfinite(values_thw).any() else 1.0


def _per_pixel(values_thw: NDArray[Scalar], grid: TokenGrid, side: int) -> NDArray[Scalar]:
    return values_thw.repeat(grid.tubelet, axis=0).repeat(side, axis=1).repeat(side, axis=2)

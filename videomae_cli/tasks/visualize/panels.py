"""The rows of a picture: frames, frames with their hidden tokens covered, numbers as heat.

Covers differ in lightness and in pattern, so that they can be told apart without seeing colour.

Shapes: T frames, H W pixels, C channels; t h w tokens along an axis.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.token_states import TokenState, TokenStates

Pixels = NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)
TARGET_COVER, TARGET_EDGE = (
    (203, 206, 212),
    (184, 188, 196),
)  # a hidden token, and the line between two
LEFT_OUT_STRIPE = (132, 139, 152)  # across a token that is left out
DROPPED_COVER, DROPPED_EDGE = (
    (44, 49, 60),
    (74, 81, 95),
)  # a dropped token, and the line between two
MIN_FRAME_SIZE = 176  # pixels of a drawn frame; smaller clips are enlarged by whole numbers


class HeatScale(NamedTuple):
    """What the colours of a heat map mean."""

    colour_map: str
    """A colour map of matplotlib, equally bright steps for equal differences."""
    maximum: float
    """The number its last colour stands for; its first is 0."""
    threshold: float
    """A number worth a mark."""
    label: str
    """What the mark says."""


class Panel(NamedTuple):
    """One way of looking at a clip."""

    title: str
    note: str
    """What the viewer must know to read it; lines."""
    frames_THWC: Pixels
    scale: HeatScale | None = None


def enlarge(frames_THWC: Pixels) -> Pixels:
    """Repeat pixels until a frame is large enough to look at."""
    factor = max(1, -(-MIN_FRAME_SIZE // min(frames_THWC.shape[1:3])))
    return frames_THWC.repeat(factor, axis=1).repeat(factor, axis=2)


def cover_tokens(frames_THWC: Pixels, states_thw: TokenStates, grid: TokenGrid) -> Pixels:
    """Cover the hidden tokens of enlarged frames, as their `State` asks."""
    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    states_THW1 = _repeat_per_pixel(states_thw, grid, side)[..., None]
    covered_THWC = frames_THWC
    for state in (TokenState.TARGET, TokenState.LEFT_OUT, TokenState.DROPPED):
        tiled = np.tile(draw_cover(state, side), (grid.h, grid.w, 1))
        covered_THWC = np.where(states_THW1 == state, tiled, covered_THWC)
    return covered_THWC


def draw_cover(state: TokenState, side: int) -> Pixels:
    """Draw what covers a hidden token of this many pixels, with a seam to the next: H, W, C."""
    flat, seam = (
        (DROPPED_COVER, DROPPED_EDGE)
        if state is TokenState.DROPPED
        else (TARGET_COVER, TARGET_EDGE)
    )
    token = np.full((side, side, 3), flat, np.uint8)
    if state is TokenState.LEFT_OUT:
        steps = np.arange(side)
        # twice across a token, so that stripes go on in the next one
        token[(steps[:, None] + steps) * 4 // side % 2 == 1] = LEFT_OUT_STRIPE
    token[-1, :] = token[:, -1] = seam
    return token


def draw_heat_map(
    values_thw: NDArray[np.float32],
    frames_THWC: Pixels,
    grid: TokenGrid,
    *,
    colour_map: str = "magma",
) -> Pixels:
    """Colour each token by a number, from 0 to the largest; NaN is covered."""
    from matplotlib import colormaps

    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    shades = colormaps[colour_map](np.nan_to_num(values_thw) / find_maximum(values_thw), bytes=True)
    shades = np.where(
        np.isnan(values_thw)[..., None], np.array(TARGET_COVER, np.uint8), shades[..., :3]
    )
    return _repeat_per_pixel(shades.astype(np.uint8), grid, side)


def find_maximum(values_thw: NDArray[np.float32]) -> float:
    """Return what the brightest colour stands for."""
    return max(float(np.nanmax(values_thw)), 1e-6) if np.isfinite(values_thw).any() else 1.0


def _repeat_per_pixel(values_thw: NDArray[Scalar], grid: TokenGrid, side: int) -> NDArray[Scalar]:
    return values_thw.repeat(grid.tubelet, axis=0).repeat(side, axis=1).repeat(side, axis=2)

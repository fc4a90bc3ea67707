"""Build the panels of a picture: frames, frames with hidden tokens covered, heat maps.

Covers differ in lightness and pattern, so that they can be distinguished without colour vision.

Shapes: T frames, H W pixels, C channels; t h w tokens along an axis.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from videomae_cli.config.model import MotionSource
from videomae_cli.data.decoding.channels import show_as_rgb
from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import (
    HIDDEN_STATES,
    TokenState,
    TokenStates,
    compute_states,
    count_tokens,
)

Pixels = NDArray[np.uint8]
"""RGB pixels of one or several frames; the name of the variable gives the shape."""

TARGET_COVER, TARGET_EDGE = (203, 206, 212), (184, 188, 196)
LEFT_OUT_STRIPE = (132, 139, 152)  # on the cover of a target
DROPPED_COVER, DROPPED_EDGE = (44, 49, 60), (74, 81, 95)
MIN_FRAME_SIZE = 176  # pixels of a drawn frame; smaller clips are enlarged by an integer factor
MOTION_COLOUR_MAP = "viridis"
MOTION_NOTES: dict[MotionSource, str] = {
    "pixels": "measured on pixels (no model):\nmean change, grey levels",
    "online": "distance of embeddings\nbetween adjacent slices",
}


class HeatScale(NamedTuple):
    """Scale of a motion map, from 0 to a maximum."""

    maximum: float
    threshold: float
    """Value that is marked on the scale."""
    label: str
    """Explains the mark."""


class Panel(NamedTuple):
    """One video of a picture: a row of the PNG, a column of the GIF and the MP4."""

    title: str
    note: str
    """Below the title; may have several lines."""
    frames_THWC: Pixels
    scale: HeatScale | None = None


def build_panels(
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    *,
    error: bool,
) -> list[Panel]:
    """Build the panels: original, motion if a mask uses it, each mask with its reconstruction."""
    grid = setup.grid
    original = enlarge(clip.frames_THWC)
    note = f"{grid.height} x {grid.width} pixels{describe_channels(grid.channels)}"
    panels = [Panel("original", note, original)]
    if motion is not None:
        heat_map = draw_heat_map(motion.scores_thw, original, grid, colour_map=MOTION_COLOUR_MAP)
        title, note = format_motion_title(motion), MOTION_NOTES[motion.source]
        panels.append(Panel(title, note, heat_map, build_scale(motion)))
    is_single = len(masked_clips) == 1
    for masked_clip in masked_clips:
        panels.append(_build_mask_panel(masked_clip, original, grid, is_single=is_single))
        if masked_clip.reconstruction is not None:
            panels.append(_build_reconstruction_panel(masked_clip, grid, is_single=is_single))
            if error:
                panels.append(_build_error_panel(masked_clip.reconstruction, original, grid))
    return panels


def find_legend_states(setup: Setup, masked_clips: Sequence[MaskedClip]) -> list[TokenState]:
    """Return the states that the legend explains; none for one mask that predicts all it hides."""
    grid = setup.grid
    states = np.unique([compute_states(one.mask, one.spec, grid) for one in masked_clips])
    is_plain = len(masked_clips) == 1 and states.max() == TokenState.TARGET
    return [] if is_plain else [TokenState(state) for state in states]


def format_motion_title(motion: MotionMap) -> str:
    """Return the title of a motion map, with the source of the motion."""
    return f"motion ({motion.source})"


def build_scale(motion: MotionMap) -> HeatScale:
    """Build the scale of a motion map, with a mark at the lowest score in the pool."""
    label = f"top {motion.pool:.0%} of tokens: {motion.threshold:.3g} or more"
    return HeatScale(find_maximum(motion.scores_thw), motion.threshold, label)


def _build_mask_panel(
    masked_clip: MaskedClip, original: Pixels, grid: TokenGrid, *, is_single: bool
) -> Panel:
    spec, mask, _ = masked_clip
    counts = count_tokens(mask, spec, grid)
    covered = cover_tokens(original, compute_states(mask, spec, grid), grid)
    if is_single and counts.predicts_all_hidden:
        return Panel("masked", f"{counts.hidden:,} of {counts.tokens:,}\ntokens hidden", covered)
    note = "\n".join((*counts.describe(), f"of {counts.tokens:,} tokens"))
    title = f"{format_name(spec).replace('+', ' + ')}, ratio {spec.ratio:g}"
    return Panel(title, note, covered)


def _build_reconstruction_panel(
    masked_clip: MaskedClip, grid: TokenGrid, *, is_single: bool
) -> Panel:
    spec, mask, reconstruction = masked_clip
    assert reconstruction is not None
    states_thw = compute_states(mask, spec, grid)
    is_unknown_thw = states_thw > TokenState.TARGET
    note = "hidden tokens predicted,\nvisible tokens copied"
    if is_unknown_thw.any():
        note = "targets predicted, visible\ntokens copied, others covered"
    if reconstruction.predicted_frames < grid.tubelet:
        note += f";\n{reconstruction.predicted_frames} of {grid.tubelet} frames predicted"
    if not is_single:
        note += f"\nPSNR of hidden pixels {reconstruction.psnr:.1f} dB"
    filled = enlarge(reconstruction.clip_BCTHW[0].permute(1, 2, 3, 0).numpy())
    return Panel("reconstruction", note, cover_tokens(filled, states_thw * is_unknown_thw, grid))


def _build_error_panel(reconstruction: Reconstruction, original: Pixels, grid: TokenGrid) -> Panel:
    error_thw = reconstruction.error_BN[0].numpy().reshape(grid.t, grid.h, grid.w)
    note = f"RMS error of each token:\n0 black, {np.nanmax(error_thw):.2f} brightest"
    return Panel("error", note, draw_heat_map(error_thw, original, grid))


def enlarge(frames_THWC: Pixels) -> Pixels:
    """Repeat pixels until each side of a frame has at least `MIN_FRAME_SIZE`; return RGB."""
    factor = max(1, -(-MIN_FRAME_SIZE // min(frames_THWC.shape[1:3])))
    return show_as_rgb(frames_THWC).repeat(factor, axis=1).repeat(factor, axis=2)


def describe_channels(channels: int) -> str:
    """Return which channels a picture shows, as the end of a note; empty for RGB and grey."""
    if channels in (1, 3):
        return ""
    return f"\n{'first' if channels < 3 else 'first 3'} of {channels} channels"


def cover_tokens(frames_THWC: Pixels, states_thw: TokenStates, grid: TokenGrid) -> Pixels:
    """Cover the hidden tokens of enlarged frames, each with the cover of its state."""
    side = grid.patch * (frames_THWC.shape[1] // grid.height)
    states_THW1 = _repeat_per_pixel(states_thw, grid, side)[..., None]
    covered_THWC = frames_THWC
    for state in HIDDEN_STATES:
        cover_HWC = np.tile(draw_cover(state, side), (grid.h, grid.w, 1))
        covered_THWC = np.where(states_THW1 == state, cover_HWC, covered_THWC)
    return covered_THWC


def draw_cover(state: TokenState, side: int) -> Pixels:
    """Draw the square cover of a hidden token, with an edge right and below: cover_HWC."""
    is_dropped = state is TokenState.DROPPED
    colour, edge = (DROPPED_COVER, DROPPED_EDGE) if is_dropped else (TARGET_COVER, TARGET_EDGE)
    cover_HWC = np.full((side, side, 3), colour, np.uint8)
    if state is TokenState.LEFT_OUT:
        steps = np.arange(side)
        # two stripes across a token, so that stripes continue in the next token
        cover_HWC[(steps[:, None] + steps) * 4 // side % 2 == 1] = LEFT_OUT_STRIPE
    cover_HWC[-1, :] = cover_HWC[:, -1] = edge
    return cover_HWC


def draw_heat_map(
    values_thw: NDArray[np.float32],
    frames_THWC: Pixels,
    grid: TokenGrid,
    *,
    colour_map: str = "magma",
) -> Pixels:
    """Colour each token by its value, from 0 to the maximum; tokens of NaN are covered.

    The heat map gets the size of the (enlarged) frames.
    """
    relative_thw = np.nan_to_num(values_thw) / find_maximum(values_thw)
    shades_thwC = colormaps[colour_map](relative_thw, bytes=True)[..., :3]
    shades_thwC[np.isnan(values_thw)] = TARGET_COVER
    return _repeat_per_pixel(shades_thwC, grid, frames_THWC.shape[1] // grid.h)


def find_maximum(values_thw: NDArray[np.float32]) -> float:
    """Return the value of the brightest colour: the maximum, or 1 if all values are NaN."""
    return max(float(np.nanmax(values_thw)), 1e-6) if np.isfinite(values_thw).any() else 1.0


def _repeat_per_pixel(values_thw: Pixels, grid: TokenGrid, side: int) -> Pixels:
    return values_thw.repeat(grid.tubelet, axis=0).repeat(side, axis=1).repeat(side, axis=2)

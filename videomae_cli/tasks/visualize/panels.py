"""The rows of a picture: frames, frames with their hidden tokens covered, numbers as heat.

Covers differ in lightness and in pattern, so that they can be told apart without seeing colour.

Shapes: T frames, H W pixels, C channels; t h w tokens along an axis.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import MaskSpec, Source
from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import (
    TokenState,
    TokenStates,
    compute_states,
    count_tokens,
)

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
MOTION_COLOUR_MAP = "viridis"
MOTION_NOTES: dict[Source, str] = {
    "pixels": "no model: measured on pixels,\nmean change in grey levels",
    "online": "distance of the model's\nembeddings, slice to slice",
}


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


def build_panels(
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    *,
    error: bool,
) -> list[Panel]:
    """Return original, motion if it matters, and each mask with what a model makes of it."""
    grid = setup.grid
    original = enlarge(clip.frames_THWC)
    panels = [Panel("original", f"{grid.width} x {grid.height} pixels", original)]
    if motion is not None:
        panels.append(_build_motion_panel(motion, original, setup))
    for masked_clip in masked_clips:
        states = compute_states(masked_clip.mask, masked_clip.spec, grid)
        title, note = _describe_mask(masked_clip, setup, is_alone=len(masked_clips) == 1)
        panels.append(Panel(title, note, cover_tokens(original, states, grid)))
        if masked_clip.reconstruction is not None:
            filled = _build_reconstruction_panels(
                masked_clip.reconstruction, states, original, setup, error=error
            )
            if len(masked_clips) > 1:
                note = f"{filled[0].note}\nhidden pixels {masked_clip.reconstruction.psnr:.1f} dB"
                filled[0] = filled[0]._replace(note=note)
            panels += filled
    return panels


def find_legend_states(setup: Setup, masked_clips: Sequence[MaskedClip]) -> list[TokenState]:
    """Return the states that need a legend: none where a mask only hides what it asks for."""
    grid = setup.grid
    found = np.unique(
        [compute_states(masked_clip.mask, masked_clip.spec, grid) for masked_clip in masked_clips]
    )
    is_plain = len(masked_clips) == 1 and found.max() == TokenState.TARGET
    return [] if is_plain else [TokenState(state) for state in found]


def format_title(spec: MaskSpec) -> str:
    """Name a mask with its ratio."""
    return f"{format_name(spec).replace('+', ' + ')}, ratio {spec.ratio:g}"


def format_motion_title(motion: MotionMap) -> str:
    """Name a map of motion after what is compared."""
    return f"motion ({motion.source})"


def format_scale_label(motion: MotionMap) -> str:
    """Say which scores belong to tokens that take part."""
    return f"the {motion.pool:.0%} that move most: from {motion.threshold:.3g}"


def _describe_mask(masked_clip: MaskedClip, setup: Setup, *, is_alone: bool) -> tuple[str, str]:
    counts = count_tokens(masked_clip.mask, masked_clip.spec, setup.grid)
    if is_alone and counts.predicts_all_hidden:
        return "masked", f"{counts.hidden:,} of {counts.tokens:,}\ntokens hidden"
    return format_title(masked_clip.spec), "\n".join(
        (*counts.describe(), f"of {counts.tokens:,} tokens")
    )


def _build_motion_panel(motion: MotionMap, original: Pixels, setup: Setup) -> Panel:
    scores = motion.scores_thw
    frames_THWC = draw_heat_map(scores, original, setup.grid, colour_map=MOTION_COLOUR_MAP)
    scale = HeatScale(
        MOTION_COLOUR_MAP, find_maximum(scores), motion.threshold, format_scale_label(motion)
    )
    return Panel(format_motion_title(motion), MOTION_NOTES[motion.source], frames_THWC, scale)


def _build_reconstruction_panels(
    reconstruction: Reconstruction,
    states: TokenStates,
    original: Pixels,
    setup: Setup,
    *,
    error: bool,
) -> list[Panel]:
    grid = setup.grid
    filled = enlarge(reconstruction.clip_BCTHW[0].permute(1, 2, 3, 0).numpy())
    never_asked = states > TokenState.TARGET
    note = "hidden tokens predicted,\nvisible ones copied"
    if never_asked.any():
        note = "targets predicted, visible\ntokens copied, others unknown"
    if reconstruction.predicted_frames < grid.tubelet:
        note += f";\n{reconstruction.predicted_frames} of {grid.tubelet} frames, repeated"
    covered = cover_tokens(filled, states * never_asked, grid)
    panels = [Panel("reconstruction", note, covered)]
    if error:
        error_thw = reconstruction.error_BN[0].numpy().reshape(grid.t, grid.h, grid.w)
        note = f"RMS per token, black 0,\nbright {np.nanmax(error_thw):.2f}"
        panels.append(Panel("error", note, draw_heat_map(error_thw, original, grid)))
    return panels


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

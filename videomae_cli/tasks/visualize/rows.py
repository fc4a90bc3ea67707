"""Which rows a picture of a masked clip has, and what is written beside each."""

from collections.abc import Sequence

import numpy as np

from videomae_cli.config.model import MaskSpec, Source
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.panels import (
    HeatScale,
    Panel,
    Pixels,
    cover_tokens,
    draw_heat_map,
    enlarge,
    find_maximum,
)
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import (
    TokenState,
    TokenStates,
    compute_states,
    count_tokens,
)

MOTION_COLOUR_MAP = "viridis"
MOTION_NOTES: dict[Source, str] = {
    "pixels": "no model: measured on pixels,\nmean change in grey levels",
    "online": "distance of the model's\nembeddings, slice to slice",
}


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

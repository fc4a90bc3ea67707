"""Which rows a picture of a masked clip has, and what is written beside each."""

from collections.abc import Sequence

import numpy as np

from videomae_cli.config.model import MaskSpec, Source
from videomae_cli.tasks.visualize.masked_clip import Look, Motion, Take
from videomae_cli.tasks.visualize.panels import Frames, Panel, Scale, cover, enlarge, heat, top_of
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import Scene
from videomae_cli.tasks.visualize.strategies import name_of
from videomae_cli.tasks.visualize.token_states import State, States, counts_of, states_of

HEAT = "viridis"
MEASURES: dict[Source, str] = {
    "pixels": "no model: measured on pixels,\nmean change in grey levels",
    "online": "distance of the model's\nembeddings, slice to slice",
}


def panels_of(
    take: Take, scene: Scene, looks: Sequence[Look], motion: Motion | None, *, error: bool
) -> list[Panel]:
    """Return original, motion if it matters, and each mask with what a model makes of it."""
    grid = scene.grid
    original = enlarge(take.frames_THWC)
    panels = [Panel("original", f"{grid.width} x {grid.height} pixels", original)]
    if motion is not None:
        panels.append(_motion_panel(motion, original, scene))
    for look in looks:
        states = states_of(look.mask, look.spec, grid)
        title, note = _label(look, scene, is_alone=len(looks) == 1)
        panels.append(Panel(title, note, cover(original, states, grid)))
        if look.result is not None:
            filled = _filled_panels(look.result, states, original, scene, error=error)
            if len(looks) > 1:
                note = f"{filled[0].note}\nhidden pixels {look.result.psnr:.1f} dB"
                filled[0] = filled[0]._replace(note=note)
            panels += filled
    return panels


def states_shown(scene: Scene, looks: Sequence[Look]) -> list[State]:
    """Return the states that need a legend: none where a mask only hides what it asks for."""
    grid = scene.grid
    found = np.unique([states_of(look.mask, look.spec, grid) for look in looks])
    is_plain = len(looks) == 1 and found.max() == State.TARGET
    return [] if is_plain else [State(state) for state in found]


def title_of(spec: MaskSpec) -> str:
    """Name a mask with its ratio."""
    return f"{name_of(spec).replace('+', ' + ')}, ratio {spec.ratio:g}"


def motion_title(motion: Motion) -> str:
    """Name a map of motion after what is compared."""
    return f"motion ({motion.source})"


def scale_words(motion: Motion) -> str:
    """Say which scores belong to tokens that take part."""
    return f"the {motion.pool:.0%} that move most: from {motion.least:.3g}"


def _label(look: Look, scene: Scene, *, is_alone: bool) -> tuple[str, str]:
    counts = counts_of(look.mask, look.spec, scene.grid)
    if is_alone and counts.is_plain:
        return "masked", f"{counts.hidden:,} of {counts.tokens:,}\ntokens hidden"
    return title_of(look.spec), "\n".join((*counts.lines(), f"of {counts.tokens:,} tokens"))


def _motion_panel(motion: Motion, original: Frames, scene: Scene) -> Panel:
    scores = motion.scores_thw
    frames_THWC = heat(scores, original, scene.grid, colours=HEAT)
    scale = Scale(HEAT, top_of(scores), motion.least, scale_words(motion))
    return Panel(motion_title(motion), MEASURES[motion.source], frames_THWC, scale)


def _filled_panels(
    result: Reconstruction, states: States, original: Frames, scene: Scene, *, error: bool
) -> list[Panel]:
    grid = scene.grid
    filled = enlarge(result.clip_BCTHW[0].permute(1, 2, 3, 0).numpy())
    never_asked = states > State.TARGET
    note = "hidden tokens predicted,\nvisible ones copied"
    if never_asked.any():
        note = "targets predicted, visible\ntokens copied, others unknown"
    if result.predicted_frames < grid.tubelet:
        note += f";\n{result.predicted_frames} of {grid.tubelet} frames, repeated"
    covered = cover(filled, states * never_asked, grid)
    panels = [Panel("reconstruction", note, covered)]
    if error:
        error_thw = result.error_BN[0].numpy().reshape(grid.t, grid.h, grid.w)
        note = f"RMS per token, black 0,\nbright {np.nanmax(error_thw):.2f}"
        panels.append(Panel("error", note, heat(error_thw, original, grid)))
    return panels

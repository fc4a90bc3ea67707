"""Masks as a page that moves: one HTML file, nothing to fetch, a slider for the ratio.

Every mask is computed here, by the maskers that training uses, at every ratio the slider has; the
page's script only draws the states it is given over the frames. States take two bits a token.
"""

import base64
import io
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.tasks.visualize.captions import (
    MOTION_SOURCES,
    compute_playback_fps,
    format_heading,
)
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap, mask_clip
from videomae_cli.tasks.visualize.panels import (
    MOTION_COLOUR_MAP,
    Pixels,
    draw_cover,
    enlarge,
    find_maximum,
    format_motion_title,
    format_scale_label,
)
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name, replace_ratio
from videomae_cli.tasks.visualize.token_states import (
    DESCRIPTIONS,
    TokenState,
    TokenStates,
    compute_states,
    count_tokens,
)

RATIOS = (0.5, 0.6, 0.75, 0.8, 0.9, 0.95)
WEBP_QUALITY = 80  # of WebP
STATES_PER_BYTE = 4  # states


def write_html(
    path: Path,
    caption: Caption,
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    *,
    target_stats: bool = False,
) -> None:
    """Write the page.

    Args:
        path: Where to.
        caption: Its words.
        clip: The clip.
        setup: How it was cut.
        masked_clips: The masks at the ratio it opens with, the first one's.
        motion: What moves, if a mask depends on it.
        target_stats: As for the masked clips.
    """
    used = np.unique(
        [
            compute_states(masked_clip.mask, masked_clip.spec, setup.grid)
            for masked_clip in masked_clips
        ]
    )
    source = files("videomae_cli.tasks.visualize").joinpath("masks.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(source).render(
        caption=caption,
        data=_build_data(clip, setup, masked_clips, motion, target_stats=target_stats),
        legend=[(int(state), DESCRIPTIONS[TokenState(state)]) for state in used],
        motion=motion and _describe_motion(motion),
        grid=setup.grid,
    )
    path.write_text(page, encoding="utf-8")


def pack_states(states_thw: TokenStates) -> str:
    """Pack the states of tokens, four to a byte, the first in the lowest bits; as base64."""
    states_N = np.zeros(math.ceil(states_thw.size / STATES_PER_BYTE) * STATES_PER_BYTE, np.uint8)
    states_N[: states_thw.size] = states_thw.ravel()
    quarters = states_N.reshape(-1, STATES_PER_BYTE) << np.arange(0, 8, 2, dtype=np.uint8)
    return _encode_base64(quarters.sum(axis=1, dtype=np.uint8).tobytes())


def _build_data(
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    *,
    target_stats: bool,
) -> dict[str, Any]:
    """Return what the page's script draws."""
    ratios = sorted({*RATIOS, masked_clips[0].spec.ratio})
    strategies = [
        {
            "name": format_name(masked_clip.spec),
            "views": [
                _build_view(masked_clip, ratio, clip, setup, target_stats=target_stats)
                for ratio in ratios
            ],
        }
        for masked_clip in masked_clips
    ]
    grid = setup.grid
    original = enlarge(clip.frames_THWC)
    side = original.shape[1] // grid.h
    return {
        "frames": [_encode_webp(frame_HWC) for frame_HWC in clip.frames_THWC],
        "headings": [format_heading(clip, place) for place in range(grid.frames)],
        "fps": compute_playback_fps(clip, setup),
        "side": side,
        "grid": {"h": grid.h, "w": grid.w, "tokens": grid.tokens, "tubelet": grid.tubelet},
        "tiles": {
            str(int(s)): _encode_png(draw_cover(s, side))
            for s in TokenState
            if s is not TokenState.VISIBLE
        },
        "ratios": ratios,
        "start": ratios.index(masked_clips[0].spec.ratio),
        "strategies": strategies,
        "heat": None if motion is None else _encode_heat_map(motion),
    }


def _build_view(
    masked_clip: MaskedClip, ratio: float, clip: ClipView, setup: Setup, *, target_stats: bool
) -> dict[str, Any]:
    if masked_clip.spec.ratio != ratio:
        try:
            spec: MaskSpec = replace_ratio(masked_clip.spec, ratio)
            masked_clip = mask_clip(clip, setup, spec, target_stats=target_stats)
        except (RecipeError, UsageError) as error:
            return {"why": error.message}
    states = compute_states(masked_clip.mask, masked_clip.spec, setup.grid)
    filled: list[str] = []
    if masked_clip.reconstruction is not None:
        clip_THWC = masked_clip.reconstruction.clip_BCTHW[0].permute(1, 2, 3, 0).numpy()
        filled = [_encode_webp(frame_HWC) for frame_HWC in clip_THWC]
    return {
        "states": pack_states(states),
        "counts": count_tokens(masked_clip.mask, masked_clip.spec, setup.grid).describe(),
        "filled": filled,
    }


def _describe_motion(motion: MotionMap) -> dict[str, str]:
    return {
        "title": format_motion_title(motion),
        "source": MOTION_SOURCES[motion.source],
        "scale": format_scale_label(motion),
        "top": f"{find_maximum(motion.scores_thw):.3g}",
    }


def _encode_heat_map(motion: MotionMap) -> dict[str, str]:
    """Return the scores in 256 steps, and the colour of each step."""
    steps = np.rint(motion.scores_thw / find_maximum(motion.scores_thw) * 255).astype(np.uint8)
    colour_map: NDArray[np.uint8] = colormaps[MOTION_COLOUR_MAP](np.arange(256), bytes=True)[:, :3]
    return {
        "steps": _encode_base64(steps.tobytes()),
        "colours": _encode_base64(colour_map.tobytes()),
    }


def _encode_webp(frame_HWC: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame_HWC).save(buffer, "WEBP", quality=WEBP_QUALITY)
    return f"data:image/webp;base64,{_encode_base64(buffer.getvalue())}"


def _encode_png(tile_HWC: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(tile_HWC).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{_encode_base64(buffer.getvalue())}"


def _encode_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

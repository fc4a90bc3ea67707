"""Write an animated HTML page of masks with a slider for the ratio: one file, no downloads.

All masks, for each ratio of the slider, are computed here by the maskers used in training; the
script in the page draws frames and token states. A state takes two bits.
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
from PIL import Image

from videomae_cli.data.decoding.channels import show_as_rgb
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
    build_scale,
    draw_cover,
    enlarge,
    find_maximum,
    format_motion_title,
)
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name, replace_ratio
from videomae_cli.tasks.visualize.token_states import (
    DESCRIPTIONS,
    HIDDEN_STATES,
    TokenState,
    TokenStates,
    compute_states,
    count_tokens,
)

RATIOS = (0.5, 0.6, 0.75, 0.8, 0.9, 0.95)
WEBP_QUALITY = 80
STATES_PER_BYTE = 4


def write_html(
    path: Path,
    caption: Caption,
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
) -> None:
    """Write the page; the initial ratio of the slider is that of the first mask."""
    states = np.unique([compute_states(one.mask, one.spec, setup.grid) for one in masked_clips])
    template = files("videomae_cli.tasks.visualize").joinpath("masks.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(template).render(
        caption=caption,
        data=_build_data(clip, setup, masked_clips, motion),
        legend=[(int(state), DESCRIPTIONS[TokenState(state)]) for state in states],
        motion=motion and _describe_motion(motion),
        grid=setup.grid,
    )
    path.write_text(page, encoding="utf-8")


def pack_states(states_thw: TokenStates) -> str:
    """Pack four states into a byte, the first in the lowest bits, and encode as base64."""
    states_N = np.zeros(math.ceil(states_thw.size / STATES_PER_BYTE) * STATES_PER_BYTE, np.uint8)
    states_N[: states_thw.size] = states_thw.ravel()
    shifted = states_N.reshape(-1, STATES_PER_BYTE) << np.arange(0, 8, 2, dtype=np.uint8)
    return _encode_base64(shifted.sum(axis=1, dtype=np.uint8).tobytes())


def _build_data(
    clip: ClipView, setup: Setup, masked_clips: Sequence[MaskedClip], motion: MotionMap | None
) -> dict[str, Any]:
    """Return the data of the script in the page."""
    grid, start = setup.grid, masked_clips[0].spec.ratio
    ratios = sorted({*RATIOS, start})
    strategies = [
        {
            "name": format_name(one.spec),
            "views": [_build_view(one, ratio, clip, setup) for ratio in ratios],
        }
        for one in masked_clips
    ]
    token_size = enlarge(clip.frames_THWC).shape[1] // grid.h
    return {
        "frames": [_encode_webp(frame_HWC) for frame_HWC in show_as_rgb(clip.frames_THWC)],
        "headings": [format_heading(clip, position) for position in range(grid.frames)],
        "fps": compute_playback_fps(clip, setup),
        "token_size": token_size,
        "grid": {"h": grid.h, "w": grid.w, "tokens": grid.tokens, "tubelet": grid.tubelet},
        "covers": {
            str(int(state)): _encode_image(draw_cover(state, token_size), "png", optimize=True)
            for state in HIDDEN_STATES
        },
        "ratios": ratios,
        "start": ratios.index(start),
        "strategies": strategies,
        "heat": None if motion is None else _encode_heat_map(motion),
    }


def _build_view(
    masked_clip: MaskedClip, ratio: float, clip: ClipView, setup: Setup
) -> dict[str, Any]:
    """Return states, counts and reconstruction at a ratio, or why the mask does not support it."""
    if masked_clip.spec.ratio != ratio:
        try:
            masked_clip = mask_clip(clip, setup, replace_ratio(masked_clip.spec, ratio))
        except (RecipeError, UsageError) as error:
            return {"error": error.message}
    spec, mask, reconstruction = masked_clip
    filled: list[str] = []
    if reconstruction is not None:
        clip_THWC = reconstruction.clip_BCTHW[0].permute(1, 2, 3, 0).numpy()
        filled = [_encode_webp(frame_HWC) for frame_HWC in show_as_rgb(clip_THWC)]
    return {
        "states": pack_states(compute_states(mask, spec, setup.grid)),
        "counts": count_tokens(mask, spec, setup.grid).describe(),
        "reconstruction": filled,
    }


def _describe_motion(motion: MotionMap) -> dict[str, str]:
    scale = build_scale(motion)
    return {
        "title": format_motion_title(motion),
        "source": MOTION_SOURCES[motion.source],
        "label": scale.label,
        "maximum": f"{scale.maximum:.3g}",
    }


def _encode_heat_map(motion: MotionMap) -> dict[str, str]:
    """Return the scores in 256 steps, and the colour of each step."""
    relative_thw = motion.scores_thw / find_maximum(motion.scores_thw)
    steps_thw = np.rint(relative_thw * 255).astype(np.uint8)
    colours: Pixels = colormaps[MOTION_COLOUR_MAP](np.arange(256), bytes=True)[:, :3]
    return {
        "steps": _encode_base64(steps_thw.tobytes()),
        "colours": _encode_base64(colours.tobytes()),
    }


def _encode_webp(frame_HWC: Pixels) -> str:
    return _encode_image(frame_HWC, "webp", quality=WEBP_QUALITY)


def _encode_image(image_HWC: Pixels, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{_encode_base64(buffer.getvalue())}"


def _encode_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

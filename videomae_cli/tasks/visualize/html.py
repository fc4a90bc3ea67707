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
from videomae_cli.tasks.visualize.captions import film_fps, heading
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import Look, Motion, Take, look_at
from videomae_cli.tasks.visualize.panels import Frames, enlarge, tile, top_of
from videomae_cli.tasks.visualize.rows import HEAT, motion_title, scale_words
from videomae_cli.tasks.visualize.setup import Scene
from videomae_cli.tasks.visualize.strategies import at_ratio, name_of
from videomae_cli.tasks.visualize.telling import SOURCES
from videomae_cli.tasks.visualize.token_states import MEANINGS, State, States, counts_of, states_of

RATIOS = (0.5, 0.6, 0.75, 0.8, 0.9, 0.95)
QUALITY = 80  # of WebP
PER_BYTE = 4  # states


def write_page(
    path: Path,
    caption: Caption,
    take: Take,
    scene: Scene,
    looks: Sequence[Look],
    motion: Motion | None,
    *,
    target_stats: bool = False,
) -> None:
    """Write the page.

    Args:
        path: Where to.
        caption: Its words.
        take: The clip.
        scene: How it was cut.
        looks: The masks at the ratio it opens with, the first one's.
        motion: What moves, if a mask depends on it.
        target_stats: As for the looks.
    """
    used = np.unique([states_of(look.mask, look.spec, scene.grid) for look in looks])
    source = files("videomae_cli.tasks.visualize").joinpath("masks.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(source).render(
        caption=caption,
        data=_data(take, scene, looks, motion, target_stats=target_stats),
        legend=[(int(state), MEANINGS[State(state)]) for state in used],
        motion=motion and _motion_words(motion),
        grid=scene.grid,
    )
    path.write_text(page, encoding="utf-8")


def packed(states_thw: States) -> str:
    """Pack the states of tokens, four to a byte, the first in the lowest bits; as base64."""
    states_N = np.zeros(math.ceil(states_thw.size / PER_BYTE) * PER_BYTE, np.uint8)
    states_N[: states_thw.size] = states_thw.ravel()
    quarters = states_N.reshape(-1, PER_BYTE) << np.arange(0, 8, 2, dtype=np.uint8)
    return _base64(quarters.sum(axis=1, dtype=np.uint8).tobytes())


def _data(
    take: Take,
    scene: Scene,
    looks: Sequence[Look],
    motion: Motion | None,
    *,
    target_stats: bool,
) -> dict[str, Any]:
    """Return what the page's script draws."""
    ratios = sorted({*RATIOS, looks[0].spec.ratio})
    strategies = [
        {
            "name": name_of(look.spec),
            "views": [
                _view(look, ratio, take, scene, target_stats=target_stats) for ratio in ratios
            ],
        }
        for look in looks
    ]
    grid = scene.grid
    original = enlarge(take.frames_THWC)
    side = original.shape[1] // grid.h
    return {
        "frames": [_webp(frame_HWC) for frame_HWC in take.frames_THWC],
        "headings": [heading(take, place) for place in range(grid.frames)],
        "fps": film_fps(take, scene),
        "side": side,
        "grid": {"h": grid.h, "w": grid.w, "tokens": grid.tokens, "tubelet": grid.tubelet},
        "tiles": {str(int(s)): _png(tile(s, side)) for s in State if s is not State.VISIBLE},
        "ratios": ratios,
        "start": ratios.index(looks[0].spec.ratio),
        "strategies": strategies,
        "heat": None if motion is None else _heat(motion),
    }


def _view(
    look: Look, ratio: float, take: Take, scene: Scene, *, target_stats: bool
) -> dict[str, Any]:
    if look.spec.ratio != ratio:
        try:
            spec: MaskSpec = at_ratio(look.spec, ratio)
            look = look_at(take, scene, spec, target_stats=target_stats)
        except (RecipeError, UsageError) as error:
            return {"why": error.message}
    states = states_of(look.mask, look.spec, scene.grid)
    filled: list[str] = []
    if look.result is not None:
        clip_THWC = look.result.clip_BCTHW[0].permute(1, 2, 3, 0).numpy()
        filled = [_webp(frame_HWC) for frame_HWC in clip_THWC]
    return {
        "states": packed(states),
        "counts": counts_of(look.mask, look.spec, scene.grid).lines(),
        "filled": filled,
    }


def _motion_words(motion: Motion) -> dict[str, str]:
    return {
        "title": motion_title(motion),
        "source": SOURCES[motion.source],
        "scale": scale_words(motion),
        "top": f"{top_of(motion.scores_thw):.3g}",
    }


def _heat(motion: Motion) -> dict[str, str]:
    """Return the scores in 256 steps, and the colour of each step."""
    steps = np.rint(motion.scores_thw / top_of(motion.scores_thw) * 255).astype(np.uint8)
    colours: NDArray[np.uint8] = colormaps[HEAT](np.arange(256), bytes=True)[:, :3]
    return {"steps": _base64(steps.tobytes()), "colours": _base64(colours.tobytes())}


def _webp(frame_HWC: Frames) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame_HWC).save(buffer, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{_base64(buffer.getvalue())}"


def _png(tile_HWC: Frames) -> str:
    buffer = io.BytesIO()
    Image.fromarray(tile_HWC).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{_base64(buffer.getvalue())}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

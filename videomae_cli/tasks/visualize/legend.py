"""Draw the legend of token states and the scale of a heat map, and load the font of pictures."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videomae_cli.tasks.visualize.panels import MOTION_COLOUR_MAP, HeatScale, Pixels, draw_cover
from videomae_cli.tasks.visualize.token_states import DESCRIPTIONS, TokenState

TEXT_COLOUR, SECONDARY_COLOUR = (28, 32, 40), (104, 112, 124)
# all in pixels
SWATCH, LINE_HEIGHT, KEY_SPACING = 20, 28, 30  # of the legend
MIN_BAR_WIDTH, BAR_HEIGHT, SCALE_HEIGHT = 170, 11, 54  # of a scale, whose height includes texts


@cache
def load_font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which is part of matplotlib and therefore the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def wrap_legend(states: Sequence[TokenState], width: int) -> list[list[TokenState]]:
    """Wrap a legend into lines of at most `width` pixels, with at least one state each."""
    lines: list[list[TokenState]] = []
    for state in states:
        if lines and _measure_line_width([*lines[-1], state]) <= width:
            lines[-1].append(state)
        else:
            lines.append([state])
    return lines


def draw_legend(
    image: Image.Image,
    lines: Sequence[Sequence[TokenState]],
    at: tuple[int, int],
    frame_HWC: Pixels,
    *,
    is_centred: bool = False,
) -> None:
    """Draw a swatch and a description for each state; the swatch of visible is the frame."""
    draw = ImageDraw.Draw(image)
    for number, states in enumerate(lines):
        left, top = at[0], at[1] + LINE_HEIGHT * number
        left -= _measure_line_width(states) // 2 if is_centred else 0
        for state in states:
            if state is TokenState.VISIBLE:
                swatch = Image.fromarray(frame_HWC).resize((SWATCH, SWATCH))
            else:
                swatch = Image.fromarray(draw_cover(state, SWATCH))
            image.paste(swatch, (left, top))
            draw.rectangle(
                (left, top, left + SWATCH - 1, top + SWATCH - 1), outline=SECONDARY_COLOUR
            )
            middle_left = (left + SWATCH + 9, top + SWATCH // 2)
            draw.text(middle_left, DESCRIPTIONS[state], TEXT_COLOUR, load_font(14), anchor="lm")
            left += _measure_key_width(state) + KEY_SPACING


def draw_scale(image: Image.Image, scale: HeatScale, at: tuple[int, int]) -> None:
    """Draw a colour bar from 0 to the maximum, with a mark at the threshold."""
    left, top = at
    length = measure_scale_width(scale)
    colours = matplotlib.colormaps[MOTION_COLOUR_MAP]
    shades_WC = colours(np.linspace(0, 1, length), bytes=True)[:, :3]
    image.paste(Image.fromarray(np.tile(shades_WC, (BAR_HEIGHT, 1, 1))), (left, top))
    draw = ImageDraw.Draw(image)
    mark = left + round(scale.threshold / scale.maximum * (length - 1))
    draw.line((mark, top - 4, mark, top + BAR_HEIGHT + 3), TEXT_COLOUR, 2)
    for x, below, text, anchor in (
        (left, 4, "0", "la"),
        (left + length, 4, f"{scale.maximum:.3g}", "ra"),
        (left, 20, scale.label, "la"),
    ):
        at = (x, top + BAR_HEIGHT + below)
        draw.text(at, text, SECONDARY_COLOUR, load_font(12), anchor=anchor)


def measure_scale_width(scale: HeatScale) -> int:
    """Return the width of a scale, in pixels."""
    return max(MIN_BAR_WIDTH, int(load_font(12).getlength(scale.label)) + 1)


def _measure_key_width(state: TokenState) -> int:
    return SWATCH + 9 + int(load_font(14).getlength(DESCRIPTIONS[state]))


def _measure_line_width(states: Sequence[TokenState]) -> int:
    return sum(_measure_key_width(state) + KEY_SPACING for state in states) - KEY_SPACING

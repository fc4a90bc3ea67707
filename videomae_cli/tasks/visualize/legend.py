"""Words and keys on a picture: its font, a legend of covers, the scale of a heat map."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videomae_cli.tasks.visualize.panels import Frames, Scale, tile
from videomae_cli.tasks.visualize.token_states import MEANINGS, State

INK, SOFT = (28, 32, 40), (104, 112, 124)
SWATCH, LINE, APART = 20, 28, 30  # pixels: a key of the legend, its line, and between two keys
BAR_X, BAR_Y, SCALE_Y = 170, 11, 54  # pixels: a scale's shortest bar, its height, with words


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib and so is the same everywhere."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def legend_lines(states: Sequence[State], width: int) -> list[list[State]]:
    """Break a legend into lines of at most this many pixels, one key each at the least."""
    lines: list[list[State]] = []
    for state in states:
        if lines and _line_width([*lines[-1], state]) <= width:
            lines[-1].append(state)
        else:
            lines.append([state])
    return lines


def draw_legend(
    image: Image.Image,
    lines: Sequence[Sequence[State]],
    spot: tuple[int, int],
    frame_HWC: Frames,
    *,
    is_centred: bool = False,
) -> None:
    """Draw what each cover means; a visible token's key is the frame itself, made small."""
    draw = ImageDraw.Draw(image)
    for number, states in enumerate(lines):
        left, top = spot[0], spot[1] + LINE * number
        left -= _line_width(states) // 2 if is_centred else 0
        for state in states:
            if state is State.VISIBLE:
                key = Image.fromarray(frame_HWC).resize((SWATCH, SWATCH))
            else:
                key = Image.fromarray(tile(state, SWATCH))
            image.paste(key, (left, top))
            draw.rectangle((left, top, left + SWATCH - 1, top + SWATCH - 1), outline=SOFT)
            words = (left + SWATCH + 9, top + SWATCH // 2)
            draw.text(words, MEANINGS[state], INK, font(14), anchor="lm")
            left += _key_width(state) + APART


def draw_scale(image: Image.Image, scale: Scale, spot: tuple[int, int]) -> None:
    """Draw a bar of colours from 0 to the top, with a mark in it."""
    from matplotlib import colormaps

    left, top = spot
    length = scale_width(scale)
    shades_WC = colormaps[scale.colours](np.linspace(0, 1, length), bytes=True)[:, :3]
    image.paste(Image.fromarray(np.tile(shades_WC, (BAR_Y, 1, 1))), (left, top))
    draw = ImageDraw.Draw(image)
    place = left + round(scale.mark / scale.top * (length - 1))
    draw.line((place, top - 4, place, top + BAR_Y + 3), INK, 2)
    for text, x, anchor in (("0", left, "la"), (f"{scale.top:.3g}", left + length, "ra")):
        draw.text((x, top + BAR_Y + 4), text, SOFT, font(12), anchor=anchor)
    draw.text((left, top + BAR_Y + 20), scale.words, SOFT, font(12), anchor="la")


def scale_width(scale: Scale) -> int:
    """Return the pixels a scale takes."""
    return max(BAR_X, int(font(12).getlength(scale.words)) + 1)


def _key_width(state: State) -> int:
    return SWATCH + 9 + int(font(14).getlength(MEANINGS[state]))


def _line_width(states: Sequence[State]) -> int:
    return sum(_key_width(state) + APART for state in states) - APART

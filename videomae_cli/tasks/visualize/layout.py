"""Lay out panels as a sheet (one row per panel, frames side by side) or a strip (one frame each).

All that a viewer must know, above all the source of the patch statistics of a reconstruction, is
drawn into the picture, because pictures are passed on without their captions.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from videomae_cli.tasks.visualize.legend import (
    LINE_HEIGHT,
    SCALE_HEIGHT,
    SECONDARY_COLOUR,
    TEXT_COLOUR,
    draw_legend,
    draw_scale,
    load_font,
    measure_scale_width,
    wrap_legend,
)
from videomae_cli.tasks.visualize.panels import Panel
from videomae_cli.tasks.visualize.token_states import TokenState

BACKGROUND = (255, 255, 255)
WARNING_COLOUR, NOTICE_COLOUR = (176, 58, 0), (0, 92, 75)
GAP, MARGIN = 6, 28  # pixels
MAX_STRIP_COLUMNS = 4  # more panels go into further rows


class Caption(NamedTuple):
    """The texts around the panels, all of them `printable`."""

    title: str
    lines: tuple[str, ...]
    notice: str
    """How to read the reconstruction; empty if there is none."""
    is_warning: bool
    """Whether the reconstruction looks better than the model is."""
    states: tuple[TokenState, ...]
    """States that the legend explains."""

    @property
    def plain_text(self) -> str:
        """Lines and notice as one line of text, for the metadata of a file."""
        return " ".join((*self.lines, self.notice)).strip()


def draw_sheet(
    panels: Sequence[Panel], caption: Caption, positions: Sequence[int], headings: Sequence[str]
) -> Image.Image:
    """Draw one row per panel, with the frames at `positions` of the clip as columns."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    left = MARGIN + 12 + max(_measure_label_width(panel) for panel in panels)
    width = max(
        left + len(positions) * (side_x + GAP) - GAP + MARGIN,
        _measure_caption_width(caption) + 2 * MARGIN,
    )
    legend = wrap_legend(caption.states, width - 2 * MARGIN)
    legend_top = MARGIN + 42 + 22 * len(caption.lines)
    panels_top = legend_top + 30 + (LINE_HEIGHT * len(legend) + 8 if legend else 0)
    footer_height = MARGIN + (34 if caption.notice else 0)
    height = panels_top + len(panels) * (side_y + GAP) - GAP + footer_height
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), caption.title, TEXT_COLOUR, load_font(22, bold=True), anchor="la")
    for number, line in enumerate(caption.lines):
        at = (MARGIN, MARGIN + 34 + 22 * number)
        draw.text(at, line, SECONDARY_COLOUR, load_font(15), anchor="la")
    draw_legend(image, legend, (MARGIN, legend_top), panels[0].frames_THWC[positions[0]])
    for column, heading in enumerate(headings):
        at = (left + column * (side_x + GAP) + side_x // 2, panels_top - 8)
        draw.text(at, heading, SECONDARY_COLOUR, load_font(14), anchor="ms")
    for row, panel in enumerate(panels):
        top = panels_top + row * (side_y + GAP)
        _draw_label(image, panel, (MARGIN, top + side_y // 2))
        for column, position in enumerate(positions):
            frame = Image.fromarray(panel.frames_THWC[position])
            image.paste(frame, (left + column * (side_x + GAP), top))
    _draw_notice(draw, caption, (MARGIN, height - MARGIN), size=15, anchor="ls")
    return image


def draw_strip(
    panels: Sequence[Panel], caption: Caption, position: int, heading: str
) -> Image.Image:
    """Draw the frame at `position` of every panel, side by side; width and height are even."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    column_width = max(side_x, *(_measure_label_width(panel) for panel in panels)) + GAP
    # rows of about the same length
    columns = math.ceil(len(panels) / math.ceil(len(panels) / MAX_STRIP_COLUMNS))
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    heights = [26 + max(_measure_note_height(panel, 18) for panel in row) + side_y for row in rows]
    columns_width = len(rows[0]) * column_width - GAP
    width = max(columns_width, _measure_notice_width(caption)) + 2 * MARGIN
    legend = wrap_legend(caption.states, width - 2 * MARGIN)
    footer_top = sum(heights) + len(rows) * MARGIN
    height = footer_top + 34 + LINE_HEIGHT * len(legend) + (26 if caption.notice else 0)
    image = Image.new("RGB", (width + width % 2, height + height % 2), BACKGROUND)
    draw = ImageDraw.Draw(image)
    first_middle = (width - columns_width) // 2 + (column_width - GAP) // 2
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            middle = first_middle + column * column_width
            _draw_title(image, panel, (middle, top))
            frame = Image.fromarray(panel.frames_THWC[position])
            image.paste(frame, (middle - side_x // 2, top + row_height - side_y))
        top += row_height + MARGIN
    middle = width // 2
    draw.text((middle, footer_top + 20), heading, SECONDARY_COLOUR, load_font(13), anchor="ms")
    frame_HWC = panels[0].frames_THWC[position]
    draw_legend(image, legend, (middle, footer_top + 34), frame_HWC, is_centred=True)
    notice_y = footer_top + 44 + LINE_HEIGHT * len(legend)
    _draw_notice(draw, caption, (middle, notice_y), size=14, anchor="ms")
    return image


def _draw_label(image: Image.Image, panel: Panel, at: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(image)
    left, top = at[0], at[1] - (24 + _measure_note_height(panel, 19)) // 2
    draw.text((left, top), panel.title, TEXT_COLOUR, load_font(17, bold=True), anchor="la")
    draw.multiline_text((left, top + 26), panel.note, SECONDARY_COLOUR, load_font(13), spacing=4)
    if panel.scale is not None:
        draw_scale(image, panel.scale, (left, top + 34 + 19 * _count_lines(panel.note)))


def _draw_title(image: Image.Image, panel: Panel, at: tuple[int, int]) -> None:
    middle, top = at
    draw = ImageDraw.Draw(image)
    draw.text((middle, top), panel.title, TEXT_COLOUR, load_font(17, bold=True), anchor="ms")
    draw.multiline_text(
        (middle, top + 8), panel.note, SECONDARY_COLOUR, load_font(13), anchor="ma", align="center"
    )
    if panel.scale is not None:
        left = middle - measure_scale_width(panel.scale) // 2
        draw_scale(image, panel.scale, (left, top + 16 + 18 * _count_lines(panel.note)))


def _draw_notice(
    draw: ImageDraw.ImageDraw, caption: Caption, at: tuple[int, int], *, size: int, anchor: str
) -> None:
    if caption.notice:
        colour = WARNING_COLOUR if caption.is_warning else NOTICE_COLOUR
        draw.text(at, caption.notice, colour, load_font(size, bold=True), anchor=anchor)


def _count_lines(note: str) -> int:
    return note.count("\n") + 1 if note else 0


def _measure_note_height(panel: Panel, line: int) -> int:
    return line * _count_lines(panel.note) + (SCALE_HEIGHT if panel.scale is not None else 0)


def _measure_label_width(panel: Panel) -> int:
    lines = [load_font(13).getlength(line) for line in panel.note.split("\n")]
    lines += [measure_scale_width(panel.scale)] if panel.scale is not None else []
    return int(max(load_font(17, bold=True).getlength(panel.title), *lines)) + 1


def _measure_caption_width(caption: Caption) -> int:
    lines = [load_font(15).getlength(line) for line in caption.lines]
    title = load_font(22, bold=True).getlength(caption.title)
    return int(max(title, _measure_notice_width(caption), *lines)) + 1


def _measure_notice_width(caption: Caption) -> int:
    return int(load_font(15, bold=True).getlength(caption.notice)) + 1

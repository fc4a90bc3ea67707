"""Panels on paper: a sheet (a row per panel, frames side by side), a strip (panels side by side).

Whatever a viewer must know, above all where the brightness of a reconstruction comes from, is
written on the picture itself, for pictures travel without their captions.
"""

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
GAP, MARGIN = 6, 28
MAX_STRIP_COLUMNS = 4  # panels of a strip; more go below


class Caption(NamedTuple):
    """The words around the panels."""

    title: str
    lines: tuple[str, ...]
    """What is shown, in small print below the title."""
    notice: str
    """How to read the reconstruction; empty if there is none."""
    is_warning: bool
    """The notice speaks of something that flatters the model."""
    states: tuple[TokenState, ...] = ()
    """What the legend explains; none, no legend."""

    @property
    def plain_text(self) -> str:
        """Lines and notice as one line of text, for the metadata of a file."""
        return " ".join((*self.lines, self.notice)).strip()


def draw_sheet(
    panels: Sequence[Panel], caption: Caption, places: Sequence[int], headings: Sequence[str]
) -> Image.Image:
    """Draw the frames at `places` of the clip, one column each, one row per panel."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    left = MARGIN + 12 + max(_measure_label_width(panel) for panel in panels)
    width = max(
        left + len(places) * (side_x + GAP) - GAP + MARGIN,
        _measure_caption_width(caption) + 2 * MARGIN,
    )
    legend = wrap_legend(caption.states, width - 2 * MARGIN)
    key = _measure_header_height(caption)
    head = key + 30 + (LINE_HEIGHT * len(legend) + 8 if legend else 0)
    height = head + len(panels) * (side_y + GAP) - GAP + _measure_footer_height(caption)
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    _draw_header(draw, caption)
    draw_legend(image, legend, (MARGIN, key), panels[0].frames_THWC[places[0]])
    for column, format_heading in enumerate(headings):
        middle = left + column * (side_x + GAP) + side_x // 2
        draw.text((middle, head - 8), format_heading, SECONDARY_COLOUR, load_font(14), anchor="ms")
    for row, panel in enumerate(panels):
        top = head + row * (side_y + GAP)
        _draw_label(image, panel, (MARGIN, top + side_y // 2))
        for column, place in enumerate(places):
            frame = Image.fromarray(panel.frames_THWC[place])
            image.paste(frame, (left + column * (side_x + GAP), top))
    _draw_notice(draw, caption, height)
    return image


def draw_strip(
    panels: Sequence[Panel], caption: Caption, place: int, format_heading: str
) -> Image.Image:
    """Draw one frame of every panel, side by side; both sides of the image are even numbers."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    column = max(side_x, *(_measure_label_width(panel) for panel in panels)) + GAP
    rows = _split_rows(panels)
    heights = [26 + max(_measure_note_height(panel, 18) for panel in row) + side_y for row in rows]
    width = max(len(rows[0]) * column - GAP, _measure_notice_width(caption)) + 2 * MARGIN
    legend = wrap_legend(caption.states, width - 2 * MARGIN)
    foot = sum(heights) + len(rows) * MARGIN
    height = foot + 34 + LINE_HEIGHT * len(legend) + (26 if caption.notice else 0)
    image = Image.new("RGB", (width + width % 2, height + height % 2), BACKGROUND)
    draw = ImageDraw.Draw(image)
    first = (width - len(rows[0]) * column + GAP) // 2 + (column - GAP) // 2
    top = MARGIN
    for row, taken in zip(rows, heights, strict=True):
        for across, panel in enumerate(row):
            middle = first + across * column
            _draw_title(image, panel, (middle, top))
            frame = Image.fromarray(panel.frames_THWC[place])
            image.paste(frame, (middle - side_x // 2, top + taken - side_y))
        top += taken + MARGIN
    draw.text((width // 2, foot + 20), format_heading, SECONDARY_COLOUR, load_font(13), anchor="ms")
    position = (width // 2, foot + 34)
    draw_legend(image, legend, position, panels[0].frames_THWC[place], is_centred=True)
    if caption.notice:
        position = (width // 2, foot + 44 + LINE_HEIGHT * len(legend))
        draw.text(
            position,
            caption.notice,
            _choose_notice_colour(caption),
            load_font(14, bold=True),
            anchor="ms",
        )
    return image


def _split_rows(panels: Sequence[Panel]) -> list[Sequence[Panel]]:
    """Break a strip that is too long into rows of about the same length."""
    abreast = -(-len(panels) // -(-len(panels) // MAX_STRIP_COLUMNS))
    return [panels[first : first + abreast] for first in range(0, len(panels), abreast)]


def _draw_header(draw: ImageDraw.ImageDraw, caption: Caption) -> None:
    draw.text((MARGIN, MARGIN), caption.title, TEXT_COLOUR, load_font(22, bold=True), anchor="la")
    for number, line in enumerate(caption.lines):
        draw.text(
            (MARGIN, MARGIN + 34 + 22 * number), line, SECONDARY_COLOUR, load_font(15), anchor="la"
        )


def _draw_label(image: Image.Image, panel: Panel, position: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(image)
    left, top = position[0], position[1] - (24 + _measure_note_height(panel, 19)) // 2
    draw.text((left, top), panel.title, TEXT_COLOUR, load_font(17, bold=True), anchor="la")
    draw.multiline_text((left, top + 26), panel.note, SECONDARY_COLOUR, load_font(13), spacing=4)
    if panel.scale is not None:
        draw_scale(image, panel.scale, (left, top + 34 + 19 * _count_lines(panel.note)))


def _draw_title(image: Image.Image, panel: Panel, position: tuple[int, int]) -> None:
    middle, top = position
    draw = ImageDraw.Draw(image)
    draw.text((middle, top), panel.title, TEXT_COLOUR, load_font(17, bold=True), anchor="ms")
    draw.multiline_text(
        (middle, top + 8), panel.note, SECONDARY_COLOUR, load_font(13), anchor="ma", align="center"
    )
    if panel.scale is not None:
        left = middle - measure_scale_width(panel.scale) // 2
        draw_scale(image, panel.scale, (left, top + 16 + 18 * _count_lines(panel.note)))


def _draw_notice(draw: ImageDraw.ImageDraw, caption: Caption, height: int) -> None:
    if caption.notice:
        position = (MARGIN, height - MARGIN)
        draw.text(
            position,
            caption.notice,
            _choose_notice_colour(caption),
            load_font(15, bold=True),
            anchor="ls",
        )


def _choose_notice_colour(caption: Caption) -> tuple[int, int, int]:
    return (176, 58, 0) if caption.is_warning else (0, 92, 75)


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


def _measure_header_height(caption: Caption) -> int:
    return MARGIN + 42 + 22 * len(caption.lines)


def _measure_footer_height(caption: Caption) -> int:
    return MARGIN + (34 if caption.notice else 0)

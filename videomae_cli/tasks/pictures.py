"""Panels on paper: a sheet (a row per panel, frames side by side), a strip (panels side by side).

Whatever a viewer must know, above all where the brightness of a reconstruction comes from, is
written on the picture itself, for pictures travel without their captions.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from videomae_cli.tasks.panels import Panel

PAPER, INK, SOFT = (255, 255, 255), (28, 32, 40), (104, 112, 124)
GAP, MARGIN = 6, 28


class Caption(NamedTuple):
    """The words around the panels."""

    title: str
    lines: tuple[str, ...]
    """What is shown, in small print below the title."""
    notice: str
    """How to read the reconstruction; empty if there is none."""
    is_warning: bool
    """The notice speaks of something that flatters the model."""


def draw_sheet(
    panels: Sequence[Panel], caption: Caption, places: Sequence[int], headings: Sequence[str]
) -> Image.Image:
    """Draw the frames at `places` of the clip, one column each, one row per panel."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    left = MARGIN + 12 + max(_label_width(panel) for panel in panels)
    head = _head_height(caption) + 30
    width = max(
        left + len(places) * (side_x + GAP) - GAP + MARGIN, _caption_width(caption) + 2 * MARGIN
    )
    height = head + len(panels) * (side_y + GAP) - GAP + _foot_height(caption)
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    _draw_head(draw, caption)
    for column, heading in enumerate(headings):
        middle = left + column * (side_x + GAP) + side_x // 2
        draw.text((middle, head - 8), heading, SOFT, font(14), anchor="ms")
    for row, panel in enumerate(panels):
        top = head + row * (side_y + GAP)
        _draw_label(draw, panel, (MARGIN, top + side_y // 2))
        for column, place in enumerate(places):
            frame = Image.fromarray(panel.frames_THWC[place])
            image.paste(frame, (left + column * (side_x + GAP), top))
    _draw_notice(draw, caption, height)
    return image


def draw_strip(panels: Sequence[Panel], caption: Caption, place: int, heading: str) -> Image.Image:
    """Draw one frame of every panel, side by side; both sides of the image are even numbers."""
    side_y, side_x = panels[0].frames_THWC.shape[1:3]
    column = max(side_x, *(_label_width(panel) for panel in panels)) + GAP
    notes = max(panel.note.count("\n") + 1 if panel.note else 0 for panel in panels)
    head = MARGIN + 26 + 18 * notes
    width = max(len(panels) * column - GAP, _notice_width(caption)) + 2 * MARGIN
    height = head + side_y + 34 + (26 if caption.notice else 0)
    image = Image.new("RGB", (width + width % 2, height + height % 2), PAPER)
    draw = ImageDraw.Draw(image)
    first = (width - len(panels) * column + GAP) // 2
    for number, panel in enumerate(panels):
        left = first + number * column
        middle = left + (column - GAP) // 2
        draw.text((middle, MARGIN), panel.title, INK, font(17, bold=True), anchor="ms")
        draw.multiline_text(
            (middle, MARGIN + 8), panel.note, SOFT, font(13), anchor="ma", align="center"
        )
        frame = Image.fromarray(panel.frames_THWC[place])
        image.paste(frame, (middle - side_x // 2, head))
    draw.text((width // 2, head + side_y + 20), heading, SOFT, font(13), anchor="ms")
    if caption.notice:
        spot = (width // 2, head + side_y + 44)
        draw.text(spot, caption.notice, _tone(caption), font(14, bold=True), anchor="ms")
    return image


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib and so is the same everywhere."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _draw_head(draw: ImageDraw.ImageDraw, caption: Caption) -> None:
    draw.text((MARGIN, MARGIN), caption.title, INK, font(22, bold=True), anchor="la")
    for number, line in enumerate(caption.lines):
        draw.text((MARGIN, MARGIN + 34 + 22 * number), line, SOFT, font(15), anchor="la")


def _draw_label(draw: ImageDraw.ImageDraw, panel: Panel, spot: tuple[int, int]) -> None:
    lines = panel.note.count("\n") + 1 if panel.note else 0
    left, top = spot[0], spot[1] - (24 + 19 * lines) // 2
    draw.text((left, top), panel.title, INK, font(17, bold=True), anchor="la")
    draw.multiline_text((left, top + 26), panel.note, SOFT, font(13), spacing=4)


def _draw_notice(draw: ImageDraw.ImageDraw, caption: Caption, height: int) -> None:
    if caption.notice:
        spot = (MARGIN, height - MARGIN)
        draw.text(spot, caption.notice, _tone(caption), font(15, bold=True), anchor="ls")


def _tone(caption: Caption) -> tuple[int, int, int]:
    return (176, 58, 0) if caption.is_warning else (0, 92, 75)


def _label_width(panel: Panel) -> int:
    lines = [font(13).getlength(line) for line in panel.note.split("\n")]
    return int(max(font(17, bold=True).getlength(panel.title), *lines)) + 1


def _caption_width(caption: Caption) -> int:
    lines = [font(15).getlength(line) for line in caption.lines]
    title = font(22, bold=True).getlength(caption.title)
    return int(max(title, _notice_width(caption), *lines)) + 1


def _notice_width(caption: Caption) -> int:
    return int(font(15, bold=True).getlength(caption.notice)) + 1


def _head_height(caption: Caption) -> int:
    return MARGIN + 42 + 22 * len(caption.lines)


def _foot_height(caption: Caption) -> int:
    return MARGIN + (34 if caption.notice else 0)

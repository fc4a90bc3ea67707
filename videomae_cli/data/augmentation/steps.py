"""Operations of timm's RandAugment on all frames of a clip, with the pixels of Pillow, to the bit.

Operations on single values become tables of 256 entries; tables of several in a row are composed.
If only a part of the result is wanted, each operation computes what the next one needs.

Shapes: T frames, H height, W width, C channels, uint8.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from timm.data import auto_augment

from videomae_cli.data.augmentation.affine import Matrix, find_source, transform_affine
from videomae_cli.data.augmentation.enhance import (
    adjust_colour,
    contrast_tables,
    has_full_range,
    sharpen,
)
from videomae_cli.data.augmentation.matrices import MATRICES
from videomae_cli.data.resize import Frames
from videomae_cli.data.transforms import Box, cut, whole_box

GREY = 128  # of pixels that an affine transform takes from outside the frame
POINT_FUNCTIONS = (
    auto_augment.invert,
    auto_augment.posterize,
    auto_augment.solarize,
    auto_augment.solarize_add,
    auto_augment.brightness,
)
"""Functions of timm that map each value on its own, in the same way in all channels."""


class Step(NamedTuple):
    """One operation that was drawn."""

    function: Callable[..., Image.Image]
    """timm's, for one Pillow image."""
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    """Interpolation and colour of pixels outside the frame."""


def apply_steps(frames_THWC: Frames, wanted: Box | None, steps: tuple[Step, ...]) -> Frames:
    """Return a part of the frames, RGB or grey, after all steps; all of them if it is None.

    A grey frame is augmented as RGB: no operation colours it. The input is not changed.
    """
    whole, channels = whole_box(frames_THWC), frames_THWC.shape[3]
    boxes = [wanted or whole]  # what each step returns, from the last one back
    for step in reversed(steps):
        boxes.append(_find_needed(step, boxes[-1], whole))
    box = boxes.pop()
    frames_THWC = np.ascontiguousarray(cut(frames_THWC, box))
    if channels == 1:
        frames_THWC = frames_THWC.repeat(3, axis=3)
    pixels = _Pixels(frames_THWC, box, whole)
    for step in steps:
        pixels.apply(step, boxes.pop())
    return pixels.finish()[..., :channels]


class _Pixels:
    """A part of all frames of a clip, between two steps; RGB."""

    def __init__(self, frames_THW3: Frames, box: Box, whole: Box) -> None:
        self.frames, self.box, self.whole = frames_THW3, box, whole
        self._tables: NDArray[np.uint8] | None = None
        """(T or 1, 256), for each frame or all: steps that are not applied yet."""

    def apply(self, step: Step, wanted: Box) -> None:
        """Apply a step and keep the part of its output that is wanted."""
        if step.function in POINT_FUNCTIONS:
            table = _point_table(step)
            self._tables = table if self._tables is None else table[0][self._tables]
            return
        frames_THW3 = self.finish()
        if step.function in MATRICES:
            matrix = _find_matrix(step, self.whole)
            self.frames = transform_affine(
                frames_THW3, matrix, GREY, whole=self.whole, box=self.box, wanted=wanted
            )
        elif step.function is auto_augment.contrast:
            self._tables = contrast_tables(frames_THW3, *step.arguments)
            self.frames = cut(frames_THW3, wanted.within(self.box))
        else:
            self.frames = cut(_apply_to_frames(frames_THW3, step), wanted.within(self.box))
        self.box = wanted

    def finish(self) -> Frames:
        """Return the pixels after all steps so far."""
        if self._tables is not None:
            out = np.empty_like(self.frames)
            tables = np.broadcast_to(self._tables, (len(out), 256))
            for frame, table, result in zip(self.frames, tables, out, strict=True):
                values = frame.tobytes().translate(table.tobytes())
                result[:] = np.frombuffer(values, np.uint8).reshape(frame.shape)
            self.frames, self._tables = out, None
        return self.frames


def _find_needed(step: Step, wanted: Box, whole: Box) -> Box:
    """Return the part of the frame that a step reads for a part of its output."""
    if step.function in MATRICES:
        return find_source(_find_matrix(step, whole), wanted, whole)
    if step.function is auto_augment.sharpness:
        return wanted.grow(1, whole)
    if step.function in POINT_FUNCTIONS or step.function is auto_augment.color:
        return wanted
    return whole  # mean or histogram of the frame


def _find_matrix(step: Step, whole: Box) -> Matrix:
    (argument,) = step.arguments
    return MATRICES[step.function](argument, whole.height, whole.width)


def _apply_to_frames(frames_THW3: Frames, step: Step) -> Frames:
    if step.function is auto_augment.color:
        return adjust_colour(frames_THW3, *step.arguments)
    if step.function is auto_augment.sharpness:
        return sharpen(frames_THW3, *step.arguments)
    out = np.empty_like(frames_THW3)
    for frame, result in zip(frames_THW3, out, strict=True):
        if step.function is auto_augment.auto_contrast and has_full_range(frame):
            result[:] = frame
        else:  # equalize, for example: its histograms are faster in Pillow than in NumPy
            result[:] = _apply_by_pillow(frame, step)
    return out


def _apply_by_pillow(frame_HW3: Frames, step: Step) -> Frames:
    image = Image.fromarray(frame_HW3)
    return np.asarray(step.function(image, *step.arguments, **step.options))


def _point_table(step: Step) -> NDArray[np.uint8]:
    """Return what a function makes of each value, (1, 256)."""
    if step.function is auto_augment.posterize and step.arguments[0] < 1:
        return np.zeros((1, 256), np.uint8)  # no bit is kept; newer versions of Pillow refuse this
    values = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    return _apply_by_pillow(values, step)[..., 0]

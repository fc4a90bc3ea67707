"""Crops and mirroring, with the same random choice for all frames.

Shapes: T frames, H height, W width, C channels, uint8. Sizes in pixels. All crops have the size
height x width of a clip. The rules of the originals, which are for squares, are kept for rectangles
by measuring all shapes relative to that of the clip.
Source: the training pipelines of VideoMAE V1 (arXiv 2203.12602).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from videomae_cli.config.training import Resize
from videomae_cli.data.resize import Frames

SCALES = (1.0, 0.875, 0.75, 0.66)
# positions of a crop, in quarters of the free space: corners and centre, edge centres, quarter
# points
POSITIONS = (
    *((0, 0), (4, 0), (0, 4), (4, 4), (2, 2)),
    *((0, 2), (4, 2), (2, 0), (2, 4)),
    *((1, 1), (3, 1), (1, 3), (3, 3)),
)
SAME_SIZE = 3  # a side that differs from the output size by less than this is cut at that size
ASPECT = (3 / 4, 4 / 3)
TRIES = 10
FAST_CHANNELS = 4  # torch resizes so many channels with vector instructions, but not more


class Box(NamedTuple):
    """A rectangle of a frame."""

    top: int
    left: int
    height: int
    width: int

    def grow(self, pixels: int, whole: "Box") -> "Box":
        """Return a box that is larger by so many pixels on each side, within `whole`."""
        top, left = max(self.top - pixels, 0), max(self.left - pixels, 0)
        bottom = min(self.top + self.height + pixels, whole.height)
        right = min(self.left + self.width + pixels, whole.width)
        return Box(top, left, bottom - top, right - left)

    def within(self, outer: "Box") -> "Box":
        """Return this box with its position in a box that contains it."""
        return self._replace(top=self.top - outer.top, left=self.left - outer.left)


def whole_box(frames_THWC: Frames) -> Box:
    """Return the box of the whole frame."""
    return Box(0, 0, *frames_THWC.shape[1:3])


def cut(frames_THWC: Frames, box: Box) -> Frames:
    """Return a view of a part of all frames."""
    top, left, height, width = box
    return frames_THWC[:, top : top + height, left : left + width]


def multiscale_crop(
    frames_THWC: Frames,
    height: int,
    width: int,
    rng: np.random.Generator,
    take: Callable[[Frames, Box], Frames] = cut,
    resize: Resize = "pillow",
) -> Frames:
    """Cut one of 10 shapes at one of 13 positions and resize it, antialiased, to height x width.

    The sides of the shapes are fractions of the largest box with the shape of the clip. If the
    original would cut 1 or 2 pixels more than the frame has (and fill them with black), the side of
    the frame is used instead. `take` returns the pixels of a box; `resize`: see `config/training`.
    """
    full_height, full_width = frames_THWC.shape[1:3]
    if height * full_width >= width * full_height:
        base_height, base_width = full_height, full_height * width // height
    else:
        base_height, base_width = full_width * height // width, full_width
    heights, widths = _scale_side(base_height, height), _scale_side(base_width, width)
    shapes = [(heights[i], widths[j]) for i in range(4) for j in range(4) if abs(i - j) <= 1]
    crop_height, crop_width = shapes[int(rng.integers(len(shapes)))]
    across, down = POSITIONS[int(rng.integers(len(POSITIONS)))]
    top = down * ((full_height - crop_height) // 4)
    left = across * ((full_width - crop_width) // 4)
    pixels = take(frames_THWC, Box(top, left, crop_height, crop_width))
    if resize == "torch":
        return _resize_with_torch(pixels, height, width, antialias=True)
    return _resize_antialiased(pixels, height, width)


def random_resized_crop(
    frames_THWC: Frames,
    height: int,
    width: int,
    rng: np.random.Generator,
    area: tuple[float, float],
    take: Callable[[Frames, Box], Frames] = cut,
    resize: Resize = "pillow",
) -> Frames:
    """Cut a random box and resize it to height x width, without antialiasing.

    `area`: least and greatest area, as fractions of the frame. The aspect ratio is 3/4 to 4/3 of
    that of the clip. `take` returns the pixels of a box; `resize`: see `config/training`.
    """
    full_height, full_width = frames_THWC.shape[1:3]
    box = _draw_box(rng, full_height, full_width, area, width / height)
    pixels = take(frames_THWC, box)
    if resize == "torch":
        return _resize_with_torch(pixels, height, width, antialias=False)
    pixels = np.ascontiguousarray(pixels)
    if pixels.shape[1:3] == (height, width):
        return pixels
    pixels_TCHW = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    scaled_TCHW = functional.interpolate(pixels_TCHW, (height, width), mode="bilinear")
    # NumPy converts faster than torch
    return scaled_TCHW.round_().permute(0, 2, 3, 1).numpy().astype(np.uint8)


def flip(frames_THWC: Frames) -> Frames:
    """Mirror left to right."""
    # torch copies whole vectors; NumPy copies pixel by pixel
    frames_TCHW = torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(0, 3, 1, 2)
    return frames_TCHW.flip(3).permute(0, 2, 3, 1).numpy()


def _scale_side(base: int, size: int) -> list[int]:
    """Return a side of the shapes of a multiscale crop, for each scale."""
    sides = [int(base * scale) for scale in SCALES]
    return [size if abs(side - size) < SAME_SIZE and size <= base else side for side in sides]


def _resize_antialiased(frames_THWC: Frames, height: int, width: int) -> Frames:
    length, *sides, channels = frames_THWC.shape
    if sides == [height, width]:
        return frames_THWC
    out = np.empty((length, height, width, channels), np.uint8)
    # an image has one or three channels; the same values result, as all are resized one by one
    groups = [slice(None)] if channels == 3 else [slice(c, c + 1) for c in range(channels)]
    for frame, result in zip(frames_THWC, out, strict=True):
        for group in groups:
            pixels = np.ascontiguousarray(frame[..., group])
            image = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            result[..., group] = np.asarray(image).reshape(height, width, -1)
    return out


def _resize_with_torch(frames_THWC: Frames, height: int, width: int, *, antialias: bool) -> Frames:
    """Resize with torch's code for 8-bit images, bilinear; frames of that size stay unchanged.

    Like Pillow it resizes along x, rounds, resizes along y and rounds, but its weights have 16 bits
    instead of 22: ties round differently. So a value differs from Pillow's by at most 1 if one axis
    is resized, by at most 2 if both are.
    """
    if frames_THWC.shape[1:3] == (height, width):
        return frames_THWC
    frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
    parts = math.ceil(frames_TCHW.shape[1] / FAST_CHANNELS)
    scaled = [
        functional.interpolate(part_TCHW, (height, width), mode="bilinear", antialias=antialias)
        for part_TCHW in frames_TCHW.chunk(parts, dim=1)
    ]
    joined_TCHW = scaled[0] if len(scaled) == 1 else torch.cat(scaled, dim=1)
    return joined_TCHW.permute(0, 2, 3, 1).numpy()


def _draw_box(
    rng: np.random.Generator, height: int, width: int, area: tuple[float, float], shape: float
) -> Box:
    """Draw a box; if no try fits, return a centred box.

    `shape`: width over height of the clip.
    """
    for _ in range(TRIES):
        pixels = rng.uniform(*area) * height * width
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1]))) * shape
        box_width, box_height = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height + 1))
            left = int(rng.integers(width - box_width + 1))
            return Box(top, left, box_height, box_width)
    box_height = min(height, round(width / (ASPECT[0] * shape)))
    box_width = min(width, round(height * ASPECT[1] * shape))
    return Box((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)

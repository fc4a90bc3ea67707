"""Augmentation: crops, mirroring and RandAugment, with the same random choice for all frames.

Shapes: T frames, H height, W width, C = 3 channels, uint8. Sizes in pixels.
Source: the training pipelines of VideoMAE V1 (arXiv 2203.12602). RandAugment is timm's.
"""

import math
import random
import re

import numpy as np
import torch
from PIL import Image
from timm.data.auto_augment import RandAugment, rand_augment_transform
from torch.nn import functional

from videomae_cli.data.resize import Frames, resize_short_side
from videomae_cli.errors import RecipeError

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
GREY = (128, 128, 128)
RANDAUGMENT = re.compile(r"rand(-(m\d+|n\d+|mstd\d+(\.\d+)?|mmax\d+|inc[01]|p\d+(\.\d+)?))*")


def multiscale_crop(frames_THWC: Frames, size: int, rng: np.random.Generator) -> Frames:
    """Cut one of 10 shapes at one of 13 positions and resize it, antialiased, to size x size.

    If the original would cut 1 or 2 pixels more than the frame has (and fill them with black), the
    side of the frame is used instead.
    """
    height, width = frames_THWC.shape[1:3]
    base = min(height, width)
    sides = [int(base * scale) for scale in SCALES]
    sides = [size if abs(side - size) < SAME_SIZE and size <= base else side for side in sides]
    shapes = [(sides[i], sides[j]) for i in range(4) for j in range(4) if abs(i - j) <= 1]
    crop_height, crop_width = shapes[int(rng.integers(len(shapes)))]
    across, down = POSITIONS[int(rng.integers(len(POSITIONS)))]
    top, left = down * ((height - crop_height) // 4), across * ((width - crop_width) // 4)
    return _resize_antialiased(
        frames_THWC[:, top : top + crop_height, left : left + crop_width], size
    )


def random_resized_crop(
    frames_THWC: Frames, size: int, rng: np.random.Generator, area: tuple[float, float]
) -> Frames:
    """Cut a random box and resize it to size x size, without antialiasing.

    `area`: least and greatest area, as fractions of the frame; the aspect ratio is 3/4 to 4/3.
    """
    height, width = frames_THWC.shape[1:3]
    top, left, crop_height, crop_width = _draw_box(rng, height, width, area)
    cut = np.ascontiguousarray(frames_THWC[:, top : top + crop_height, left : left + crop_width])
    if cut.shape[1:3] == (size, size):
        return cut
    pixels_TCHW = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
    scaled_TCHW = functional.interpolate(pixels_TCHW, (size, size), mode="bilinear")
    return scaled_TCHW.round_().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def center_crop(frames_THWC: Frames, size: int) -> Frames:
    """Resize the shorter side to `size`, up or down, and cut the square in the middle."""
    scaled = resize_short_side(frames_THWC, size)
    top, left = (round((side - size) / 2) for side in scaled.shape[1:3])
    return scaled[:, top : top + size, left : left + size]


def flip(frames_THWC: Frames) -> Frames:
    """Mirror left to right."""
    return frames_THWC[:, :, ::-1]


def randaugment(frames_THWC: Frames, policy: RandAugment, rng: np.random.Generator) -> Frames:
    """Apply RandAugment to every frame, with the same random choices.

    timm draws from the global `random` and `numpy.random`. Both are seeded again before each frame,
    so that all frames get the same operations, magnitudes and signs, and restored afterwards.
    """
    seed = int(rng.integers(2**32))
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (timm's generator, not ours)
    try:
        out = []
        for frame in frames_THWC:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            out.append(np.asarray(policy(Image.fromarray(frame))))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    return np.stack(out)


def randaugment_policy(text: str) -> RandAugment:
    """Build timm's RandAugment, with grey fill and bicubic, from `rand-m7-n4-mstd0.5-inc1` or so.

    Raises:
        RecipeError: A part of the text is unknown (timm would ignore some of them silently).
    """
    if not RANDAUGMENT.fullmatch(text):
        raise RecipeError(
            f"augment.randaugment: {text!r} is not a RandAugment setting",
            "write rand, followed by any of -m7 -n4 -mstd0.5 -mmax10 -inc1 -p0.5",
        )
    hparams = {"img_mean": GREY, "interpolation": Image.Resampling.BICUBIC}
    policy: RandAugment = rand_augment_transform(text, hparams)
    return policy


def _resize_antialiased(frames_THWC: Frames, size: int) -> Frames:
    if frames_THWC.shape[1:3] == (size, size):
        return frames_THWC
    out = np.empty((len(frames_THWC), size, size, 3), np.uint8)
    for frame, result in zip(frames_THWC, out, strict=True):
        image = Image.fromarray(np.ascontiguousarray(frame))
        result[:] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    return out


def _draw_box(
    rng: np.random.Generator, height: int, width: int, area: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of a box; if no try fits, return a centred box."""
    for _ in range(TRIES):
        pixels = rng.uniform(*area) * height * width
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        box_width, box_height = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height + 1))
            return top, int(rng.integers(width - box_width + 1)), box_height, box_width
    box_height = min(height, round(width / ASPECT[0]))
    box_width = min(width, round(height * ASPECT[1]))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width

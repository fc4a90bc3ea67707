"""Random erasing: the box is drawn with the sample, and filled with noise on the device.

The noise is added after normalisation; each sample has its own generator.

Shapes: B clips, C channels, T frames, H height, W width; float, normalised.
Source: VideoMAE V1's fine-tuning. Deliberately different: the noise covers all frames, whatever
the number of repeats.
"""

import math

import numpy as np
import torch
from torch import Tensor

AREA = (0.02, 1 / 3)
ASPECT = (0.3, 1 / 0.3)
TRIES = 100


def draw_erase_box(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of one box for all frames; zeros if no box fits."""
    for _ in range(TRIES):
        pixels = rng.uniform(*AREA) * height * width
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        box_height, box_width = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < box_height < height and 0 < box_width < width:
            top = int(rng.integers(height - box_height + 1))
            return top, int(rng.integers(width - box_width + 1)), box_height, box_width
    return 0, 0, 0, 0


def erase_(clip_BCTHW: Tensor, boxes_B4: Tensor, seeds_B: Tensor) -> Tensor:
    """Fill each clip's box in place with N(0, 1) noise, drawn per frame, pixel and channel.

    A box is top, left, height, width; height 0 leaves the clip unchanged.
    """
    channels, frames = clip_BCTHW.shape[1:3]
    for clip_CTHW, (top, left, height, width), seed in zip(
        clip_BCTHW, boxes_B4.tolist(), seeds_B.tolist(), strict=True
    ):
        if height:
            generator = torch.Generator().manual_seed(seed)
            noise = torch.randn(channels, frames, height, width, generator=generator)
            clip_CTHW[..., top : top + height, left : left + width] = noise.to(clip_CTHW)
    return clip_BCTHW

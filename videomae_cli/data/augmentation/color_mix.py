"""Channel mixing: one random 3 x 3 colour matrix near the identity for all frames of a clip.

It changes hue, saturation and tint, so that a model cannot recognise training clips by colour.

Shapes: T frames, H height, W width; 3 channels (RGB), uint8.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from videomae_cli.data.resize import Frames

UNIT = 4096  # entries are multiples of 1 / UNIT: single precision computes the sums exactly
Matrix = NDArray[np.float32]


def draw_matrix(rng: np.random.Generator, strength: float) -> Matrix:
    """Return I + strength x (U - mean of U), with nine numbers U uniform in [-1, 1].

    Without the mean, which makes a clip darker or brighter as a whole, the entries of the matrix
    add up to 3: a grey pixel gets a tint, but keeps its mean over the channels unless a channel is
    cut off at 0 or 255. The standard deviation of an entry is 0.544 x strength, its greatest
    difference from the identity 16/9 x strength. Entries are rounded to multiples of 1/4096.
    """
    uniform = rng.uniform(-1.0, 1.0, (3, 3))
    exact = np.eye(3) + strength * (uniform - uniform.mean())
    matrix: Matrix = (np.rint(exact * UNIT) / UNIT).astype(np.float32)
    return matrix


def mix_channels(frames_THW3: Frames, matrix: Matrix) -> Frames:
    """Return matrix @ (R, G, B) for every pixel, rounded to the nearest integer, 0 to 255.

    Halves are rounded to even. The result is the same to the bit on every machine: the sums are
    multiples of 1/4096 below 4096, which single precision holds exactly, in whatever order.
    """
    pixels_T3HW = torch.from_numpy(np.ascontiguousarray(frames_THW3)).permute(0, 3, 1, 2).float()
    # a convolution by one pixel is the matrix product of all pixels, without copies to other axes
    mixed_T3HW = functional.conv2d(pixels_T3HW, torch.from_numpy(matrix)[:, :, None, None])
    mixed_T3HW = mixed_T3HW.round_().clamp_(0, 255).to(torch.uint8)
    return mixed_T3HW.permute(0, 2, 3, 1).numpy()

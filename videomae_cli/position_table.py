"""The fixed position embedding of VideoMAE: computed by the models, stored by some formats."""

import torch
from torch import Tensor


def sine_table(tokens: int, dim: int) -> Tensor:
    """Return the fixed position embedding of the token index, shape (tokens, dim), float32.

    Even columns contain sines, odd columns cosines, of
    index / 10000^(2 * floor(column / 2) / dim), computed in float64. Always on the CPU, so that a
    model built on the `meta` device, whose weights are assigned later, has its positions.
    Source: VideoMAE V1.
    """
    column = torch.arange(dim, dtype=torch.float64, device="cpu")
    index = torch.arange(tokens, dtype=torch.float64, device="cpu").unsqueeze(1)
    angle = index / 10000.0 ** (2 * (column / 2).floor() / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()

"""The fixed position embedding, for formats that store it, and a check of the tables in files."""

import torch
from torch import Tensor

TOLERANCE = 1e-6  # MMAction2's stored table agrees with the formula within 4e-9


def sine_table(tokens: int, dim: int) -> Tensor:
    """Return the position embedding over the flat token index, shape (1, tokens, dim), float32.

    The values are those that the models compute (a test compares them); this floor may not import
    the models. Source: VideoMAE V1.
    """
    column = torch.arange(dim, dtype=torch.float64)
    index = torch.arange(tokens, dtype=torch.float64).unsqueeze(1)
    angle = index / 10000.0 ** (2 * (column / 2).floor() / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float().unsqueeze(0)


def find_difference_from_sine(table: Tensor) -> str:
    """Return how a stored table differs from the computed one; empty if it does not."""
    if table.ndim != 3 or table.shape[0] != 1 or table.shape[2] == 0:
        shape = "x".join(map(str, table.shape))
        return f"has shape {shape}, expected 1 x tokens x embedding dimension"
    if table.is_meta:
        return ""
    expected = sine_table(table.shape[1], table.shape[2])
    rounded = expected.half().float()  # for files in half precision
    difference = min(float((table - e).abs().max()) for e in (expected, rounded))
    if difference <= TOLERANCE:
        return ""
    return (
        f"differs by up to {difference:.2g} from the fixed sine table: learned position embeddings"
        " are not supported here"
    )

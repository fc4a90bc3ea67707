"""The fixed position table, for the formats that store it, and a check of tables found in files."""

import torch
from torch import Tensor

TOLERANCE = 1e-6  # MMAction2's stored table agrees with the formula within 4e-9


def sine_table(tokens: int, dim: int) -> Tensor:
    """Return the table over the flat token index, shape (1, tokens, dim), float32.

    The same numbers as the models compute (a test compares them); this floor has names and tensors
    and no models. Source: VideoMAE V1.
    """
    column = torch.arange(dim, dtype=torch.float64)
    index = torch.arange(tokens, dtype=torch.float64).unsqueeze(1)
    angle = index / 10000.0 ** (2 * (column / 2).floor() / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float().unsqueeze(0)


def not_sine(table: Tensor) -> str:
    """Say what makes a stored table another one than the computed; empty if nothing does."""
    if table.ndim != 3 or table.shape[0] != 1 or table.shape[2] == 0:
        return f"is {'x'.join(map(str, table.shape))}, a position table is 1 x tokens x width"
    if table.is_meta:
        return ""
    expected = sine_table(table.shape[1], table.shape[2])
    rounded = expected.half().float()  # of files that store halves
    gap = min(float((table - e).abs().max()) for e in (expected, rounded))
    if gap <= TOLERANCE:
        return ""
    return (
        f"differs by up to {gap:.2g} from the fixed sine table: learned positions,"
        " which this encoder has no place for"
    )

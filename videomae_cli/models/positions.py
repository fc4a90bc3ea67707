"""Position tables: what tells tokens where they are; and the class token, which is nowhere.

Shapes: N tokens, t slices, S tokens of a slice, D width, B batch.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models import init


class SinePositions(nn.Module):
    """Fixed codes of the flat token index (VideoMAE). The class token gets none."""

    table_ND: Tensor
    token = None

    def __init__(self, grid: TokenGrid, stack: TransformerConfig) -> None:
        super().__init__()
        self.register_buffer("table_ND", sine_table(grid.tokens, stack.dim), persistent=False)

    def forward(self) -> Tensor:
        """Return the table: positions_ND."""
        return self.table_ND


class SeparablePositions(nn.Module):
    """A learned table over places in a slice, plus one over slices, plus the class token's.

    Source: MAE-ST, arXiv 2205.09113: the position of token t * S + s is space[s] + time[t].
    """

    def __init__(self, grid: TokenGrid, stack: TransformerConfig) -> None:
        super().__init__()
        self.space = init.learned(1, grid.slice_tokens, stack.dim)
        self.time = init.learned(1, grid.t, stack.dim)
        self.token = init.learned(1, 1, stack.dim) if stack.class_token else None

    def forward(self) -> Tensor:
        """Return the full table: positions_ND."""
        return (self.space + self.time.transpose(0, 1)).flatten(0, 1)


Positions = SinePositions | SeparablePositions
POSITIONS: dict[str, type[SinePositions] | type[SeparablePositions]] = {
    "sine": SinePositions,
    "separable": SeparablePositions,
}


def positions_for(grid: TokenGrid, stack: TransformerConfig) -> Positions:
    """Build the position table of a stack."""
    return POSITIONS[stack.positions](grid, stack)


def with_class_token(x_BND: Tensor, token_11D: Tensor | None, positions: Positions) -> Tensor:
    """Put the class token, if there is one, in front of the others, at its own position."""
    if token_11D is None:
        return x_BND
    if positions.token is not None:
        token_11D = token_11D + positions.token
    return torch.cat((token_11D.expand(x_BND.shape[0], -1, -1), x_BND), dim=1)


def sine_table(tokens: int, dim: int) -> Tensor:
    """Return the 1-D sine table over the flat token index, shape (tokens, dim), float32.

    Even columns hold sines and odd columns cosines of index / 10000^(2 * floor(column / 2) / dim);
    computed in float64. Always on the CPU, so that a model built on `meta` and filled by assignment
    has its positions. Source: VideoMAE V1.
    """
    column = torch.arange(dim, dtype=torch.float64, device="cpu")
    index = torch.arange(tokens, dtype=torch.float64, device="cpu").unsqueeze(1)
    angle = index / 10000.0 ** (2 * (column / 2).floor() / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()

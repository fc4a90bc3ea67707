"""Position embeddings of the tokens, and the class token.

Shapes: N tokens, t slices, S tokens of a slice, D embedding dimension, B batch.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.init import new_embedding
from videomae_cli.position_table import sine_table


class SinePositions(nn.Module):
    """Fixed sine and cosine embedding of the token index (VideoMAE); none for the class token."""

    table_ND: Tensor
    token = None

    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("table_ND", sine_table(tokens, dim), persistent=False)

    def forward(self) -> Tensor:
        """Return the embedding of every token: positions_ND."""
        return self.table_ND


class SeparablePositions(nn.Module):
    """Learned embeddings for space and for time, added, and one for the class token (MAE-ST).

    Source: MAE-ST, arXiv 2205.09113: the position of token t * S + s is space[s] + time[t].
    """

    def __init__(self, grid: TokenGrid, config: TransformerConfig) -> None:
        super().__init__()
        self.space = new_embedding(1, grid.slice_tokens, config.dim)
        self.time = new_embedding(1, grid.t, config.dim)
        self.token = new_embedding(1, 1, config.dim) if config.class_token else None

    def forward(self) -> Tensor:
        """Return the embedding of every token: positions_ND."""
        return (self.space + self.time.transpose(0, 1)).flatten(0, 1)


Positions = SinePositions | SeparablePositions


def build_positions(grid: TokenGrid, config: TransformerConfig) -> Positions:
    """Build the position embedding of the tokens of a grid."""
    if config.positions == "sine":
        return SinePositions(grid.tokens, config.dim)
    return SeparablePositions(grid, config)


def prepend_class_token(x_BND: Tensor, token_11D: Tensor | None, positions: Positions) -> Tensor:
    """Put the class token, if there is one, with its position before the other tokens."""
    if token_11D is None:
        return x_BND
    if positions.token is not None:
        token_11D = token_11D + positions.token
    return torch.cat((token_11D.expand(x_BND.shape[0], -1, -1), x_BND), dim=1)

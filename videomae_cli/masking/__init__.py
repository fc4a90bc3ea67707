"""Masking strategies: pure functions from noise, and tokens where content matters, to a `Mask`."""

from collections.abc import Callable

import torch
from torch import Tensor

from videomae_cli.config.schema import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask
from videomae_cli.masking.tube import tube

Tokens = Callable[[], Tensor]
"""Returns tokens_BND of the whole clip, without positions or gradient; for content strategies."""
Masker = Callable[[Tensor, Tokens], Mask]
"""noise_BN and tokens to a mask."""

MASKERS: dict[str, Callable[[Tensor, Tokens, TokenGrid, MaskSpec], Mask]] = {
    "tube": tube,
    "space": tube,
}


def masker_for(spec: MaskSpec, grid: TokenGrid) -> Masker:
    """Return the recipe's masker for this grid, tried once so that impossible ratios fail here.

    Raises:
        RecipeError: The strategy cannot serve this grid at this ratio.
    """
    strategy = MASKERS[spec.strategy]

    def masker(noise_BN: Tensor, tokens: Tokens) -> Mask:
        return strategy(noise_BN, tokens, grid, spec)

    masker(torch.zeros(1, grid.tokens), lambda: torch.zeros(1, grid.tokens, 1))
    return masker

"""Masking strategies: pure functions from noise, and from the clip for some, to a `Mask`."""

from collections.abc import Callable

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec, SelectSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content, make_black_content
from videomae_cli.masking.mask import Mask
from videomae_cli.masking.motion import motion, moving_tokens
from videomae_cli.masking.random_tokens import random_tokens
from videomae_cli.masking.running_cell import running_cell
from videomae_cli.masking.time_slices import time_slices
from videomae_cli.masking.tube import tube

Masker = Callable[[Tensor, Content], Mask]
"""noise_B2N and content to a mask: row 0 selects the visible tokens, row 1 reduces the targets."""
Selector = Callable[[Content], Tensor]
"""Content to index_BV, ascending: the tokens that a classifier sees."""

MASKERS: dict[str, Callable[[Tensor, Content, TokenGrid, MaskSpec], Mask]] = {
    "tube": tube,
    "space": tube,
    "random": random_tokens,
    "time": time_slices,
    "motion": motion,
}
REFINERS: dict[str, Callable[[Tensor, Mask, TokenGrid, MaskSpec], Mask]] = {
    "all": lambda noise_BN, mask, grid, spec: mask,
    "running-cell": running_cell,
}


def selector_for(spec: SelectSpec, grid: TokenGrid) -> Selector:
    """Return the function that selects the tokens that a classifier sees."""
    return lambda content: moving_tokens(content, grid, spec)


def masker_for(spec: MaskSpec, grid: TokenGrid) -> Masker:
    """Return the masker of a recipe for this grid, after one call to detect impossible ratios.

    Raises:
        RecipeError: The strategy does not support this grid or this ratio.
    """
    strategy, refiner = MASKERS[spec.strategy], REFINERS[spec.targets]

    def masker(noise_B2N: Tensor, content: Content) -> Mask:
        mask = strategy(noise_B2N[:, 0], content, grid, spec)
        return refiner(noise_B2N[:, 1], mask, grid, spec)

    masker(torch.zeros(1, 2, grid.tokens, device="cpu"), make_black_content(grid.tokens))
    return masker

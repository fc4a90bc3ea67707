"""Define `Mask`: the tokens the encoder sees, those the decoder predicts, and those in the loss.

Shapes: B batch, N tokens of the clip, V visible tokens, M target tokens, X any dimensions.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid


class Mask(NamedTuple):
    """A mask over the tokens of each clip of a batch; V and M are the same for all clips."""

    visible_BV: Tensor
    """Indices of the tokens that the encoder sees, int64, ascending."""
    target_BM: Tensor
    """Indices of the tokens that the decoder predicts, int64, ascending."""
    counted_BM: Tensor
    """Bool: whether this prediction enters the loss."""


def all_counted(visible_BV: Tensor, target_BM: Tensor) -> Mask:
    """Return a mask all of whose predictions enter the loss."""
    return Mask(visible_BV, target_BM, torch.ones_like(target_BM, dtype=torch.bool))


def require_both(spec: MaskSpec, kept: int, total: int, things: str) -> None:
    """Check that a ratio hides some of `total` things and keeps some visible.

    Raises:
        RecipeError: It hides none or all.
    """
    if not 0 < kept < total:
        raise RecipeError(
            f"mask.ratio: {spec.ratio:g} hides {total - kept} of the {total} {things}",
            "choose another ratio, or a larger clip",
        )


def check(mask: Mask, grid: TokenGrid) -> None:
    """Assert the invariants of a mask of this grid."""
    visible, target, counted = mask
    assert visible.dtype == target.dtype == torch.int64, "indices are int64"
    assert counted.dtype == torch.bool and counted.shape == target.shape, "one bool per target"
    assert visible.ndim == target.ndim == 2 and len(visible) == len(target), "one row per clip"
    assert visible.shape[1] > 0, "the encoder sees something"
    for indices in (visible, target):
        assert bool((indices.diff(dim=1) > 0).all()), "indices ascend"
        assert indices.numel() == 0 or (
            int(indices.min()) >= 0 and int(indices.max()) < grid.tokens
        )
    seen = torch.zeros(len(visible), grid.tokens, dtype=torch.bool, device=visible.device)
    seen.scatter_(1, visible, True)
    assert not bool((seen.gather(1, target) & counted).any()), "a visible token never counts"


def select(tokens_BNX: Tensor, index_BV: Tensor) -> Tensor:
    """Select the tokens at `index_BV` of each clip: tokens_BVX, contiguous."""
    batch, total = tokens_BNX.shape[:2]
    first_B1 = torch.arange(0, batch * total, total, device=index_BV.device).unsqueeze(1)
    # rows by one flat index: several times faster on CPU than a gather with an expanded index
    rows = tokens_BNX.flatten(0, 1).index_select(0, (index_BV + first_B1).flatten())
    return rows.reshape(*index_BV.shape, *tokens_BNX.shape[2:])

"""What is true of every entry of MASKERS."""

from typing import get_args

import pytest
import torch

from videomae_cli.config.schema import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import MASKERS, masker_for
from videomae_cli.masking.mask import Mask, check, select

GRIDS = (
    TokenGrid(16, 224, 224),
    TokenGrid(16, 64, 64),
    TokenGrid(8, 48, 96),
    TokenGrid(3, 40, 32, tubelet=1, patch=8),
    TokenGrid(2, 64, 64),
)
COUNTS = {  # at ratio 0.75: visible, target, counted
    "tube": ((392, 1176, 1176), (32, 96, 96), (20, 52, 52), (15, 45, 45), (4, 12, 12)),
    "space": ((392, 1176, 1176), (32, 96, 96), (20, 52, 52), (15, 45, 45), (4, 12, 12)),
}


def masked(strategy: str, noise_BN: torch.Tensor, tokens_BND: torch.Tensor, grid: TokenGrid):
    return masker_for(MaskSpec(strategy=strategy, ratio=0.75), grid)(noise_BN, lambda: tokens_BND)


def test_the_schema_names_exactly_the_strategies_there_are():
    assert set(get_args(MaskSpec.model_fields["strategy"].annotation)) == MASKERS.keys()
    assert COUNTS.keys() == MASKERS.keys()


@pytest.mark.parametrize("strategy", MASKERS)
@pytest.mark.parametrize("place", range(len(GRIDS)))
def test_masks_keep_their_invariants_and_documented_counts(strategy: str, place: int):
    grid = GRIDS[place]
    noise, tokens = torch.rand(3, grid.tokens), torch.rand(3, grid.tokens, 5)

    mask = masked(strategy, noise, tokens, grid)

    check(mask, grid)
    counted = mask.counted_BM.sum(dim=1).unique().item()
    assert (mask.visible_BV.shape[1], mask.target_BM.shape[1], counted) == COUNTS[strategy][place]


@pytest.mark.parametrize("strategy", MASKERS)
def test_a_clip_gets_its_own_mask_wherever_it_stands_in_the_batch(strategy: str):
    grid = GRIDS[1]
    noise, tokens = torch.rand(4, grid.tokens), torch.rand(4, grid.tokens, 5)

    forward = masked(strategy, noise, tokens, grid)
    backward = masked(strategy, noise.flip(0), tokens.flip(0), grid)

    for one, other in zip(forward, backward, strict=True):
        assert torch.equal(one, other.flip(0))
    assert not torch.equal(forward.visible_BV[0], forward.visible_BV[1])


BROKEN = {
    "descending": ([[1, 0]], [[2, 3]], [[True, True]]),
    "twice": ([[0, 0]], [[2, 3]], [[True, True]]),
    "outside": ([[0, 1]], [[3, 4]], [[True, True]]),
    "negative": ([[-1, 1]], [[2, 3]], [[True, True]]),
    "both visible and counted": ([[0, 2]], [[2, 3]], [[True, True]]),
    "nothing visible": ([[]], [[2, 3]], [[True, True]]),
    "rows": ([[0, 1], [0, 1]], [[2, 3]], [[True, True]]),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_check_refuses_a_broken_mask(fault: str):
    visible, target, counted = BROKEN[fault]
    mask = Mask(
        torch.tensor(visible, dtype=torch.int64), torch.tensor(target), torch.tensor(counted)
    )

    with pytest.raises(AssertionError):
        check(mask, TokenGrid(2, 32, 32))


def test_check_accepts_a_visible_target_that_does_not_count():
    mask = Mask(torch.tensor([[0, 2]]), torch.tensor([[2, 3]]), torch.tensor([[False, True]]))

    check(mask, TokenGrid(2, 32, 32))


def test_select_takes_each_clips_own_rows():
    tokens = torch.arange(12).reshape(2, 3, 2)

    taken = select(tokens, torch.tensor([[0, 2], [1, 2]]))

    assert taken.tolist() == [[[0, 1], [4, 5]], [[8, 9], [10, 11]]]

import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content

GRID = TokenGrid(16, 224, 224)


def spec(ratio: float = 0.5) -> MaskSpec:
    return MaskSpec(strategy="tube", ratio=0.9, targets="running-cell", targets_ratio=ratio)


def predicted(phase: float, grid: TokenGrid, ratio: float = 0.5) -> torch.Tensor:
    """Return which tokens are predicted, of shape t, h, w."""
    noise = torch.full((1, 2, grid.tokens), phase)
    noise[:, 0] = torch.rand(grid.tokens)
    mask = masker_for(spec(ratio), grid)(noise, make_black_content(grid.tokens))
    predicted_N = torch.zeros(grid.tokens, dtype=torch.bool)
    predicted_N[mask.target_BM[0]] = True
    return predicted_N.reshape(grid.t, grid.h, grid.w)


def test_the_ring_turns_by_one_from_slice_to_slice():
    left_out = ~predicted(0.0, TokenGrid(10, 32, 32))

    cells = left_out.int().tolist()

    first = [[[1, 0], [0, 1]], [[0, 0], [1, 1]], [[0, 1], [1, 0]], [[1, 1], [0, 0]]]
    assert cells == [*first, first[0]]


def test_a_phase_starts_the_ring_later():
    zero = predicted(0.0, GRID)
    wrong = []
    for phase in range(4):
        later = predicted(phase / 4 + 0.1, GRID)
        is_shifted = torch.equal(later[: 8 - phase], zero[phase:])
        is_periodic = torch.equal(later[:, ::2, ::2], later[:, :1, :1].expand(-1, 7, 7))
        if not (is_shifted and is_periodic):
            wrong.append(phase)

    assert wrong == []


def test_whole_quarters_are_left_out():
    expected = {0.25: 3 / 4, 0.5: 2 / 4, 0.75: 1 / 4, 0.9: 1 / 4}

    fractions = {ratio: float(predicted(0.3, GRID, ratio).float().mean()) for ratio in expected}

    assert fractions == expected


def test_published_counts_on_a_grid_of_8_by_14_by_14():
    noise = torch.rand(6, 2, GRID.tokens)

    mask = masker_for(spec(), GRID)(noise, make_black_content(GRID.tokens))

    assert mask.visible_BV.shape[1] == 160 and mask.target_BM.shape[1] == 784
    assert mask.counted_BM.sum(dim=1).tolist() == [704] * 6


def test_an_odd_number_of_tokens_needs_complete_turns_of_the_ring():
    with pytest.raises(
        RecipeError, match="running-cell does not support 5 x 7 tokens with 3 slices"
    ):
        masker_for(spec(), TokenGrid(6, 80, 112))
    for phase in (0.0, 0.3, 0.6, 0.9):
        assert predicted(phase, TokenGrid(8, 80, 112)).sum() == 70


def test_a_cell_that_leaves_out_nothing_is_refused():
    with pytest.raises(RecipeError, match="leaves out 0 of 4 tokens of a cell"):
        masker_for(spec(0.2), GRID)

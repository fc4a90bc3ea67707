import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.tube import tube


def refuse_embedding(tubelets_BNP: torch.Tensor) -> torch.Tensor:
    raise AssertionError("tube must not use the tokens")


UNUSED = Content(torch.empty(0), refuse_embedding)


def masked(noise: list[list[float]], grid: TokenGrid, ratio: float):
    spec = MaskSpec(strategy="tube", ratio=ratio)
    return tube(torch.tensor(noise), UNUSED, grid, spec)


def test_the_positions_with_the_lowest_noise_are_visible_in_every_slice():
    grid = TokenGrid(4, 32, 32)  # 2 slices of 4 positions
    noise = [[0.9, 0.1, 0.8, 0.2, 0.0, 0.0, 0.0, 0.0], [0.3, 0.4, 0.1, 0.2, 0.9, 0.9, 0.9, 0.9]]

    mask = masked(noise, grid, 0.5)

    assert mask.visible_BV.tolist() == [[1, 3, 5, 7], [2, 3, 6, 7]]
    assert mask.target_BM.tolist() == [[0, 2, 4, 6], [0, 1, 4, 5]]
    assert mask.counted_BM.all()


def test_with_equal_noise_the_first_position_is_visible():
    mask = masked([[0.5] * 4], TokenGrid(2, 32, 32), 0.75)

    assert mask.visible_BV.tolist() == [[0]]


HIDDEN = {  # for slices of 196, 256, 64 and 49 positions
    0.50: (98, 128, 32, 24),
    0.75: (147, 192, 48, 36),
    0.80: (156, 204, 51, 39),
    0.85: (166, 217, 54, 41),
    0.90: (176, 230, 57, 44),
    0.95: (186, 243, 60, 46),
}


def test_a_slice_hides_the_integer_part_of_ratio_times_positions():
    wrong = {}
    for ratio, counts in HIDDEN.items():
        for side, hidden in zip((14, 16, 8, 7), counts, strict=True):
            grid = TokenGrid(4, side * 16, side * 16)

            mask = masked(torch.rand(3, grid.tokens).tolist(), grid, ratio)

            shapes = (tuple(mask.target_BM.shape), tuple(mask.visible_BV.shape))
            if shapes != ((3, 2 * hidden), (3, 2 * (side * side - hidden))):
                wrong[f"ratio {ratio}, {side * side} positions"] = shapes

    assert wrong == {}


@pytest.mark.parametrize("ratio", [0.2, 1e-9])
def test_a_ratio_that_hides_nothing_is_refused_when_the_masker_is_built(ratio: float):
    with pytest.raises(RecipeError, match=r"hides 0 of the 4 tokens"):
        masker_for(MaskSpec(strategy="tube", ratio=ratio), TokenGrid(2, 32, 32))

import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.masking.mask import Mask

WIDE = TokenGrid(16, 224, 224)


def masked(strategy: str, ratio: float, grid: TokenGrid, noise: torch.Tensor | None = None) -> Mask:
    spec = MaskSpec.model_validate({"strategy": strategy, "ratio": ratio})
    noise_B2N = torch.rand(1, 2, grid.tokens) if noise is None else noise.expand(1, 2, -1)
    return masker_for(spec, grid)(noise_B2N, make_black_content(grid.tokens))


def test_random_keeps_the_integer_part_of_the_visible_fraction():
    expected = {0.9: 156, 0.95: 78, 0.75: 392, 0.5: 784}

    masks = {ratio: masked("random", ratio, WIDE) for ratio in expected}

    assert {ratio: mask.visible_BV.shape[1] for ratio, mask in masks.items()} == expected
    assert {ratio: 1568 - mask.target_BM.shape[1] for ratio, mask in masks.items()} == expected


def test_random_shows_the_tokens_with_the_lowest_noise():
    noise = torch.tensor([0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.0, 0.6])

    mask = masked("random", 0.625, TokenGrid(4, 32, 32), noise)

    assert mask.visible_BV.tolist() == [[1, 3, 6]]
    assert mask.target_BM.tolist() == [[0, 2, 4, 5, 7]]


def test_time_hides_whole_slices():
    expected = {0.875: 1, 0.9: 1, 0.75: 2, 0.5: 4}

    visible = {ratio: masked("time", ratio, WIDE).visible_BV for ratio in expected}

    assert {ratio: index.shape[1] / 196 for ratio, index in visible.items()} == expected
    assert {ratio: len((index // 196).unique()) for ratio, index in visible.items()} == expected


def test_time_shows_the_slices_with_the_lowest_noise():
    grid = TokenGrid(6, 32, 32)  # 3 slices of 4
    noise = torch.zeros(12)
    noise[::4] = torch.tensor([0.5, 0.1, 0.9])

    assert masked("time", 0.67, grid, noise).visible_BV.tolist() == [[4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("strategy", "ratio", "message"),
    [
        ("random", 0.999, "hides 8 of the 8 tokens of a clip"),
        ("time", 0.9, "hides 2 of the 2 slices"),
        ("time", 0.1, "hides 0 of the 2 slices"),
    ],
)
def test_a_ratio_that_hides_none_or_all_is_refused(strategy: str, ratio: float, message: str):
    with pytest.raises(RecipeError, match=message):
        masked(strategy, ratio, TokenGrid(4, 32, 32))


def test_random_hides_at_least_one_token_even_with_a_tiny_ratio():
    # 8 * (1 - 1e-9) is less than 8, and its integer part is 7
    assert masked("random", 1e-9, TokenGrid(4, 32, 32)).visible_BV.shape[1] == 7

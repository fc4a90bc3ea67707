import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.tube import tube


def content_is_not_looked_at(tubelets_BNP: torch.Tensor) -> torch.Tensor:
    raise AssertionError("tube looked at the tokens")


UNSEEN = Content(torch.empty(0), content_is_not_looked_at)


def masked(noise: list[list[float]], grid: TokenGrid, ratio: float):
    spec = MaskSpec(strategy="tube", ratio=ratio)
    return tube(torch.tensor(noise), UNSEEN, grid, spec)


def test_the_places_with_the_lowest_noise_are_visible_in_every_slice():
    grid = TokenGrid(4, 32, 32)  # 2 slices of 4 places
    noise = [[0.9, 0.1, 0.8, 0.2, 0.0, 0.0, 0.0, 0.0], [0.3, 0.4, 0.1, 0.2, 0.9, 0.9, 0.9, 0.9]]

    mask = masked(noise, grid, 0.5)

    assert mask.visible_BV.tolist() == [[1, 3, 5, 7], [2, 3, 6, 7]]
    assert mask.target_BM.tolist() == [[0, 2, 4, 6], [0, 1, 4, 5]]
    assert mask.counted_BM.all()


def test_equal_noise_goes_to_the_first_place():
    mask = masked([[0.5] * 4], TokenGrid(2, 32, 32), 0.75)

    assert mask.visible_BV.tolist() == [[0]]


@pytest.mark.parametrize(
    ("ratio", "places", "hidden"),
    [
        (0.50, 196, 98), (0.50, 256, 128), (0.50, 64, 32), (0.50, 49, 24),
        (0.75, 196, 147), (0.75, 256, 192), (0.75, 64, 48), (0.75, 49, 36),
        (0.80, 196, 156), (0.80, 256, 204), (0.80, 64, 51), (0.80, 49, 39),
        (0.85, 196, 166), (0.85, 256, 217), (0.85, 64, 54), (0.85, 49, 41),
        (0.90, 196, 176), (0.90, 256, 230), (0.90, 64, 57), (0.90, 49, 44),
        (0.95, 196, 186), (0.95, 256, 243), (0.95, 64, 60), (0.95, 49, 46),
    ],
)  # fmt: skip
def test_a_slice_hides_the_whole_part_of_ratio_times_places(ratio: float, places: int, hidden: int):
    side = int(places**0.5)
    grid = TokenGrid(4, side * 16, side * 16)

    mask = masked(torch.rand(3, grid.tokens).tolist(), grid, ratio)

    assert mask.target_BM.shape == (3, 2 * hidden)
    assert mask.visible_BV.shape == (3, 2 * (places - hidden))


@pytest.mark.parametrize("ratio", [0.2, 1e-9])
def test_a_ratio_that_hides_nothing_is_refused_when_the_masker_is_made(ratio: float):
    with pytest.raises(RecipeError, match=r"hides 0 of the 4 tokens"):
        masker_for(MaskSpec(strategy="tube", ratio=ratio), TokenGrid(2, 32, 32))

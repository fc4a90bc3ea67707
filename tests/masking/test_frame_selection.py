import pytest
import torch

from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.frame_selection import FrameChoice

GRID = TokenGrid(24, 32, 32)  # 12 candidate slices of 4 positions
CHOICE = FrameChoice(GRID, 8, pool=0.25, source="online")


def clip(moving: dict[int, float], clips: int = 1) -> Content:
    """Return still clips whose values jump at the start of some slices."""
    level = torch.zeros(GRID.t)
    for time, jump in moving.items():
        level[time:] += jump
    values = level[None, :, None, None].expand(clips, -1, GRID.slice_tokens, 3)
    return Content(values.flatten(1, 2), lambda pixels: pixels.float())


def test_without_noise_the_slices_with_the_most_motion_are_used_in_order():
    content = clip({3: 1.0, 7: 2.0, 10: 3.0})  # 12 of the 48 tokens: the pool

    index = CHOICE.choose(content, None)

    assert index.tolist() == [[0, 1, 2, 3, 4, 5, 7, 10]]  # the earlier of equals


def test_noise_draws_slices_in_proportion_and_without_replacement():
    torch.manual_seed(0)
    content = clip({3: 1.0, 7: 2.0, 10: 3.0}, clips=500)

    index = CHOICE.choose(content, torch.rand(500, GRID.t))

    assert (index.diff(dim=1) > 0).all() and index.shape == (500, 8)
    fractions = torch.bincount(index.flatten(), minlength=GRID.t) / 500
    assert fractions[[3, 7, 10]].tolist() == [1.0, 1.0, 1.0]
    others = fractions[[0, 1, 2, 4, 5, 6, 8, 9, 11]]
    assert (others - 5 / 9).abs().max() < 0.12


def test_a_still_clip_gives_its_slices_too():
    torch.manual_seed(0)

    index = CHOICE.choose(clip({}, clips=50), torch.rand(50, GRID.t))

    assert index.shape == (50, 8) and (index.diff(dim=1) > 0).all()


def test_the_tubelets_of_the_selected_slices_are_complete():
    values = torch.arange(GRID.tokens * 2.0).reshape(1, -1, 2)
    content = Content(values, lambda pixels: pixels)

    kept = CHOICE.keep(content, None)

    index = CHOICE.choose(content, None)
    assert torch.equal(kept, values.reshape(12, 4, 2)[index[0]].flatten(0, 1)[None])


@pytest.mark.parametrize("noise", [0.0, 1.0 - 2**-24])
def test_the_extremes_of_the_noise_are_allowed(noise: float):
    index = CHOICE.choose(clip({3: 1.0}), torch.full((1, GRID.t), noise))

    assert len(index[0].unique()) == 8

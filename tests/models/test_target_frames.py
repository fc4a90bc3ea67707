import pytest
import torch

from videomae_cli.grid import TokenGrid
from videomae_cli.models.target_frames import FRAMES, TargetFrameSelector
from videomae_cli.models.targets import patchify, unpatchify

GRID = TokenGrid(6, 8, 12, tubelet=2, patch=4)  # 3 x 2 x 3 tokens


def selector(choice: str, grid: TokenGrid = GRID) -> TargetFrameSelector:
    return TargetFrameSelector(grid, FRAMES[choice](grid))


@pytest.mark.parametrize(
    ("frames", "tubelet", "published"),
    [
        (16, 2, [0, 2, 4, 6, 8, 10, 12, 15]),
        (32, 4, [0, 4, 8, 13, 17, 22, 26, 31]),
        (8, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (2, 2, [0]),
    ],
)
def test_linspace_selects_the_published_frames(frames: int, tubelet: int, published: list[int]):
    grid = TokenGrid(frames, 16, 16, tubelet=tubelet)

    frame_t1 = FRAMES["linspace"](grid)

    first = [tubelet * t for t in range(grid.t)]
    assert [a + b for a, b in zip(first, frame_t1.flatten().tolist(), strict=True)] == published


@pytest.mark.parametrize("tubelet", [1, 2, 3, 4, 7])
def test_linspace_never_leaves_a_tubelet(tubelet: int):
    for slices in range(1, 130):
        frame_t1 = FRAMES["linspace"](TokenGrid(slices * tubelet, 16, 16, tubelet=tubelet))

        assert frame_t1.min() >= 0 and frame_t1.max() < tubelet


def test_the_target_of_a_token_is_the_selected_frame_of_its_slice():
    clip = torch.arange(6).reshape(1, 1, 6, 1, 1).expand(1, 3, 6, 8, 12)
    target = torch.tensor([[0, 5, 6, 12, 17]])

    pixels = selector("linspace")(patchify(clip, GRID), target)

    assert pixels.shape == (1, 5, 48) and selector("linspace").pixels == 48
    assert pixels[0, :, 0].tolist() == [0, 0, 2, 5, 5]
    assert (pixels == pixels[..., :1]).all()


def test_all_frames_are_the_tubelets_themselves():
    tubelets = torch.randint(0, 256, (2, 18, 96), dtype=torch.uint8)
    target = torch.tensor([[3, 4], [0, 17]])

    assert torch.equal(selector("all")(tubelets, target)[1], tubelets[1, [0, 17]])
    assert torch.equal(selector("all").spread(tubelets[:, :2], target), tubelets[:, :2])


@pytest.mark.parametrize("choice", ["first", "linspace"])
def test_spread_fills_every_frame_with_the_nearest_predicted_frame(choice: str):
    clip = torch.rand(1, 3, 6, 8, 12)
    everything = torch.arange(18).unsqueeze(0)
    one = selector(choice)

    filled = unpatchify(one.spread(one(patchify(clip, GRID), everything), everything), GRID)

    expected = {"first": [0, 0, 2, 2, 4, 4], "linspace": [0, 0, 2, 2, 5, 5]}[choice]
    assert torch.equal(filled, clip[:, :, expected])

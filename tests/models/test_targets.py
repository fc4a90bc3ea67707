import numpy as np
import pytest
import torch

from videomae_cli.grid import TokenGrid
from videomae_cli.models.targets import (
    denormalize_tubelets,
    normalize_tubelets,
    patchify,
    patchify_in_steps,
    unpatchify,
)

GRIDS = [
    TokenGrid(16, 64, 64),
    TokenGrid(4, 24, 40, tubelet=1, patch=8),
    TokenGrid(8, 6, 4, tubelet=4, patch=2, channels=1),
]


def test_tubelets_are_ordered_by_frame_row_column_then_channel():
    clip = torch.arange(96).reshape(1, 3, 2, 4, 4)

    tubelets = patchify(clip, TokenGrid(2, 4, 4, patch=2))

    assert tubelets.shape == (1, 4, 24)
    assert tubelets[0, 0].tolist() == [
        0, 32, 64, 1, 33, 65, 4, 36, 68, 5, 37, 69, 16, 48, 80, 17, 49, 81, 20, 52, 84, 21, 53, 85,
    ]  # fmt: skip
    assert tubelets[0, 1, :6].tolist() == [2, 34, 66, 3, 35, 67]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_unpatchify_undoes_patchify(grid: TokenGrid, dtype: torch.dtype):
    shape = (2, grid.channels, grid.frames, grid.height, grid.width)
    clip = torch.randint(0, 256, shape).to(dtype)

    tubelets = patchify(clip, grid)

    assert tubelets.shape == (2, grid.tokens, grid.tubelet_pixels) and tubelets.dtype == dtype
    assert torch.equal(unpatchify(tubelets, grid), clip)


@pytest.mark.parametrize("grid", GRIDS)
def test_exported_models_cut_the_same_tubelets(grid: TokenGrid):
    shape = (2, grid.channels, grid.frames, grid.height, grid.width)
    clip = torch.randint(0, 256, shape, dtype=torch.uint8)

    assert torch.equal(patchify_in_steps(clip, grid), patchify(clip, grid))


def test_a_clip_of_another_size_is_refused():
    with pytest.raises(AssertionError, match="grid"):
        patchify(torch.zeros(1, 3, 16, 32, 32), TokenGrid(16, 64, 64))


def test_normalisation_is_per_channel_with_unbiased_variance_and_epsilon_on_the_std():
    pixels = np.random.default_rng(0).random((2, 3, 8 * 3))
    pixels[..., 2::3] = 0.25 + 1e-5 * pixels[..., 2::3]  # nearly constant: here the epsilon matters
    by_channel = pixels.reshape(2, 3, 8, 3)
    mean = by_channel.mean(axis=2, keepdims=True)
    std = by_channel.std(axis=2, keepdims=True, ddof=1) + 1e-6
    expected = ((by_channel - mean) / std).reshape(pixels.shape)

    normalized, mean_BMC, std_BMC = normalize_tubelets(torch.from_numpy(pixels), 3)

    np.testing.assert_allclose(normalized, expected, rtol=1e-9)
    np.testing.assert_allclose(mean_BMC, mean.squeeze(2), rtol=1e-12)
    np.testing.assert_allclose(std_BMC, std.squeeze(2), rtol=1e-9)
    np.testing.assert_allclose(denormalize_tubelets(normalized, mean_BMC, std_BMC), pixels)


@pytest.mark.parametrize("pixels", [1, 4])
def test_a_tubelet_of_one_colour_becomes_zero(pixels: int):
    normalized, _, _ = normalize_tubelets(torch.full((1, 2, 3 * pixels), 0.5), 3)

    assert torch.equal(normalized, torch.zeros(1, 2, 3 * pixels))

"""Embeddings adapted to another geometry give the same tokens for clips that both can see."""

import pytest
import torch

from videomae_cli.checkpoints.transfer import PATCH_EMBED, fit_geometry, fit_patch_embed
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid


def embed(weight_DCtpp: torch.Tensor, clip_CTHW: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.conv3d(clip_CTHW[None], weight_DCtpp)[0].flatten()


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 4), (2, 1), (4, 2), (6, 2), (1, 3)])
def test_a_still_clip_gets_the_same_tokens_at_any_depth(old: int, new: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 3, old, 4, 4, dtype=torch.float64)
    picture = torch.randn(3, 1, 4, 4, dtype=torch.float64)

    fitted, change = fit_patch_embed(weight, TokenGrid(new * 2, 8, 8, tubelet=new, patch=4))

    assert fitted.shape == (5, 3, new, 4, 4)
    expected = embed(weight, picture.expand(-1, old, -1, -1))
    torch.testing.assert_close(embed(fitted, picture.expand(-1, new, -1, -1)), expected)
    assert f"tubelets {old} to {new} frames" in change


def test_a_fitting_embedding_is_unchanged_and_an_impossible_change_is_refused() -> None:
    weight = torch.randn(5, 3, 2, 4, 4)
    grid = TokenGrid(4, 8, 8, patch=4)
    wide = TokenGrid(8, 32, 32, patch=4)

    fitted, changes = fit_geometry({PATCH_EMBED: weight, "head.bias": torch.ones(2)}, grid, wide)

    assert fitted[PATCH_EMBED] is weight and not changes
    with pytest.raises(CheckpointError, match=r"patches of 4 pixels, the recipe has 8"):
        fit_patch_embed(weight, TokenGrid(4, 8, 8, patch=8))
    with pytest.raises(CheckpointError, match=r"tubelets of 2 frames, the recipe has 3"):
        fit_patch_embed(weight, TokenGrid(6, 8, 8, tubelet=3, patch=4))


def test_learned_positions_are_interpolated_and_reported() -> None:
    old, new = TokenGrid(8, 16, 16, patch=4), TokenGrid(16, 24, 24, patch=4)
    weights = {
        "encoder.positions.space": torch.ones(1, 16, 6),
        "encoder.positions.time": torch.arange(4.0).reshape(1, 4, 1).repeat(1, 1, 6),
    }

    fitted, changes = fit_geometry(weights, old, new)

    assert fitted["encoder.positions.space"].shape == (1, 36, 6)
    torch.testing.assert_close(fitted["encoder.positions.space"], torch.ones(1, 36, 6))
    times = fitted["encoder.positions.time"][0, :, 0]
    assert times.tolist() == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]
    assert changes.keys() == weights.keys()

"""A whole ViT-S without any file: weights, clip and mask are computed by a hash.

The expected values are the reference's, in fp32 and evaluation mode.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask, select
from videomae_cli.masking.running_cell import running_cell
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.targets import normalize_tubelets, patchify

GRID = TokenGrid(16, 224, 224)
DECODER = TransformerConfig(dim=192, depth=4, heads=3, mlp_dim=768)
near = pytest.approx


def hashed(k: int, count: int) -> np.ndarray:
    x = np.sin(12.9898 * np.arange(1, count + 1) + 78.233 * (k + 1)) * 43758.5453
    return x - np.floor(x)


def load_weights(model: nn.Module, prefix: str = "") -> None:
    """Fill by the order of the reference's names, which are ours without `prefix`."""
    state = {name.removeprefix(prefix): value for name, value in model.state_dict().items()}
    for k, name in enumerate(sorted(state)):
        values = 0.04 * (hashed(k, state[name].numel()) - 0.5)
        values += name.endswith(("norm1.weight", "norm2.weight", "norm.weight"))
        state[name].copy_(torch.from_numpy(values.astype(np.float32)).view_as(state[name]))


def raw() -> Tensor:
    """Pixels in 0..1."""
    values = hashed(1000, 3 * 16 * 224 * 224).astype(np.float32)
    return torch.from_numpy(values).reshape(1, 3, 16, 224, 224)


def normalised(pixels: Tensor) -> Tensor:
    mean, std = (torch.tensor(x)[:, None, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels - mean) / std


def tube_mask() -> Mask:
    place = torch.arange(GRID.tokens) % 196
    is_visible = (37 * place + 11) % 196 < 20
    target = (~is_visible).nonzero().T
    return Mask(is_visible.nonzero().T, target, torch.ones_like(target, dtype=torch.bool))


def half_of_the_cells(mask: Mask) -> Mask:
    """Pattern 0 of the running cell at ratio 0.5; a visible target does not count."""
    queue = torch.tensor([1, 1, 0, 0])
    cells = [queue[(torch.arange(4) + f + 1) % 4].reshape(2, 2).repeat(7, 7) for f in range(8)]
    target = (torch.stack(cells).flatten() == 0).nonzero().T
    return Mask(mask.visible_BV, target, ~torch.isin(target, mask.visible_BV))


@pytest.fixture(scope="module")
def autoencoder() -> Autoencoder:
    encoder = Encoder(GRID, SIZES["vits"], final_norm=True)
    model = Autoencoder(encoder, DECODER, lambda noise, tokens: tube_mask())
    load_weights(model)
    return model.eval()


@torch.no_grad()
def test_the_autoencoder_has_the_published_outputs(autoencoder: Autoencoder):
    pixels, mask = raw(), tube_mask()

    latents = autoencoder.encode(normalised(pixels), mask)
    prediction = autoencoder.decode(latents, mask)
    raw_target = select(patchify(pixels, GRID), mask.target_BM)
    target = normalize_tubelets(raw_target, 3)[0]

    assert latents.shape == (1, 160, 384) and prediction.shape == (1, 1408, 1536)
    assert latents[0, 0, :4].tolist() == near([-0.727567, 0.946856, 0.138407, 0.961751], abs=1e-4)
    assert latents.std().item() == near(1.001103, abs=1e-4)
    assert prediction[0, 0, :4].tolist() == near(
        [-0.020704, -0.024810, -0.201858, 0.252079], abs=1e-4
    )
    assert prediction[0, 703, 100:103].tolist() == near([-0.150218, 0.009400, -0.298434], abs=1e-4)
    assert prediction.mean().item() == near(0.002528, abs=1e-4)
    assert prediction.std().item() == near(0.160231, abs=1e-4)
    assert target[0, 0, :4].tolist() == near([-1.148628, -0.161704, 1.478794, -1.441106], abs=1e-4)
    assert raw_target[0, 0, :4].tolist() == near([0.181796, 0.470362, 0.938999, 0.099030], abs=1e-6)
    assert F.mse_loss(prediction, target).item() == near(1.023886, abs=1e-4)
    assert F.mse_loss(prediction, raw_target).item() == near(0.356445, abs=1e-4)


@torch.no_grad()
def test_dual_masking_has_the_published_outputs(autoencoder: Autoencoder):
    spec = MaskSpec(strategy="tube", ratio=0.9, targets="running-cell", targets_ratio=0.5)
    pixels, mask = raw(), running_cell(torch.zeros(1, GRID.tokens), tube_mask(), GRID, spec)

    assert all(torch.equal(a, b) for a, b in zip(mask, half_of_the_cells(tube_mask()), strict=True))
    prediction = autoencoder.decode(autoencoder.encode(normalised(pixels), mask), mask)
    target = normalize_tubelets(select(patchify(pixels, GRID), mask.target_BM), 3)[0]

    assert prediction.shape == (1, 784, 1536) and mask.counted_BM.sum() == 704
    assert prediction[0, 0, :4].tolist() == near(
        [-0.020342, -0.024523, -0.202076, 0.252325], abs=1e-4
    )
    error = (prediction - target)[mask.counted_BM].square().mean()
    assert error.item() == near(1.023636, abs=1e-4)


@torch.no_grad()
def test_the_classifier_has_the_published_logits():
    model = Classifier(Encoder(GRID, SIZES["vits"], final_norm=False), 10)
    load_weights(model, prefix="encoder.")

    logits = model.eval()(normalised(raw()))

    assert logits[0].tolist() == near(
        [
            -0.315703, -0.183363, -0.300645, 0.169628, 0.174431,
            0.047145, 0.027425, -0.188164, -0.182234, -0.102995,
        ],
        abs=1e-4,
    )  # fmt: skip

"""Features of a model, compared with its blocks and norms called one by one."""

from typing import Any

import pytest
import torch

from tests.notes import CLASSIFIER
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import UsageError
from videomae_cli.models.build import BUILDERS
from videomae_cli.models.features import FeatureModel, resolve_layer
from videomae_cli.models.targets import patchify

GRID = CLASSIFIER.grid
DEPTH = CLASSIFIER.encoder.depth


def build(kind: str, **changes: Any) -> Any:
    """Return a model whose norms are not the identity."""
    torch.manual_seed(0)
    decoder = CLASSIFIER.encoder if kind == "autoencoder" else None
    config: ModelConfig = CLASSIFIER.model_copy(
        update={"kind": kind, "decoder": decoder, **changes}
    )
    model = BUILDERS[kind](config)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    return model.eval()


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """Return two uint8 clips."""
    torch.manual_seed(1)
    return torch.randint(0, 256, (2, 3, GRID.frames, GRID.height, GRID.width), dtype=torch.uint8)


def run_blocks(model: Any, clip: torch.Tensor, blocks: int) -> torch.Tensor:
    encoder = model.encoder
    x = encoder.embed(patchify(clip, GRID)) + encoder.positions()
    for block in encoder.blocks[:blocks]:
        x = block(x)
    return x


@torch.inference_mode()
def test_each_layer_is_the_output_of_a_block_without_norm(clip: torch.Tensor) -> None:
    for kind, changes in (
        ("autoencoder", {}),
        ("classifier", {}),
        ("encoder", {"norm_of": "mean"}),
    ):
        model = build(kind, **changes)
        for layer in range(DEPTH):
            expected = run_blocks(model, clip, layer)
            slices = expected.reshape(2, GRID.t, -1, expected.shape[-1]).mean(dim=2)

            torch.testing.assert_close(FeatureModel(model, layer, "tokens")(clip), expected)
            torch.testing.assert_close(FeatureModel(model, layer)(clip), expected.mean(dim=1))
            torch.testing.assert_close(FeatureModel(model, layer, "per-slice")(clip), slices)


@torch.inference_mode()
def test_the_last_layer_has_the_norm_of_tokens_before_pooling(clip: torch.Tensor) -> None:
    for kind, changes in (("autoencoder", {}), ("encoder", {"norm_of": "tokens"})):
        model = build(kind, **changes)
        expected = model.encoder.norm(run_blocks(model, clip, DEPTH))

        torch.testing.assert_close(FeatureModel(model, -1, "tokens")(clip), expected)
        torch.testing.assert_close(FeatureModel(model)(clip), expected.mean(dim=1))


@torch.inference_mode()
def test_the_last_layer_of_a_classifier_has_the_norm_of_the_mean(clip: torch.Tensor) -> None:
    model = build("classifier")
    plain = run_blocks(model, clip, DEPTH)
    slices = plain.reshape(2, GRID.t, -1, plain.shape[-1]).mean(dim=2)

    torch.testing.assert_close(FeatureModel(model, -1, "tokens")(clip), plain)
    torch.testing.assert_close(FeatureModel(model, DEPTH, "per-slice")(clip), model.fc_norm(slices))
    assert torch.equal(FeatureModel(model)(clip), model.features(clip))
    torch.testing.assert_close(model.head(FeatureModel(model)(clip)), model(clip))


def test_layers_count_from_both_ends() -> None:
    assert [resolve_layer(layer, 12) for layer in (0, 12, -1, -13)] == [0, 12, 12, 0]
    for layer in (13, -14):
        with pytest.raises(UsageError, match="the encoder has 12 blocks"):
            resolve_layer(layer, 12)

"""Weights adapted to another number of channels give grey clips the same tokens."""

import pytest
import torch

from videomae_cli.checkpoints.channel_transfer import (
    EMBED_BIAS,
    EMBED_WEIGHT,
    HEAD,
    fit_channels,
    mix_channels,
)
from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import SIZES
from videomae_cli.grid import TokenGrid
from videomae_cli.models.encoder import Encoder

COUNTS = [(3, 1), (3, 2), (3, 4), (3, 6), (3, 8), (1, 3), (1, 5), (4, 3)]


def config(channels: int) -> ModelConfig:
    """Return a model of 2 x 3 tokens; means and standard deviations differ between channels."""
    mean = IMAGENET_MEAN if channels == 3 else tuple(0.3 + 0.07 * c for c in range(channels))
    std = IMAGENET_STD if channels == 3 else tuple(0.2 + 0.03 * c for c in range(channels))
    grid = TokenGrid(4, 8, 12, patch=4, channels=channels)
    return ModelConfig(kind="encoder", encoder=SIZES["micro"], grid=grid, mean=mean, std=std)


def encoder(of: ModelConfig) -> Encoder:
    torch.manual_seed(0)
    return Encoder(of.grid, of.encoder, final_norm=True, mean=of.mean, std=of.std)


@pytest.mark.parametrize(("before", "after"), COUNTS)
def test_a_grey_clip_gets_the_tokens_of_its_copies_whatever_the_normalisation(
    before: int, after: int
) -> None:
    old, new = encoder(config(before)), encoder(config(after))
    assert old.patch_embed.proj.bias is not None
    torch.nn.init.normal_(old.patch_embed.proj.bias)
    weights = {f"encoder.{name}": tensor for name, tensor in old.state_dict().items()}

    fitted, changes = fit_channels(weights, config(before), config(after))

    assert set(changes) == {EMBED_WEIGHT, EMBED_BIAS}
    new.load_state_dict({name.removeprefix("encoder."): fitted[name] for name in fitted})
    grey = torch.randint(0, 256, (2, 1, 4, 8, 12), dtype=torch.uint8)
    expected = old(grey.expand(-1, before, -1, -1, -1))
    torch.testing.assert_close(
        new(grey.expand(-1, after, -1, -1, -1)), expected, atol=2e-5, rtol=1e-5
    )
    assert f"channels {before} to {after}, " in changes[EMBED_WEIGHT]


def test_each_old_channel_is_shared_completely_and_more_channels_repeat_it() -> None:
    for before, after in COUNTS:
        assert torch.allclose(mix_channels(before, after).sum(dim=0), torch.ones(before).double())
    assert mix_channels(3, 4).tolist() == [[0.5, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0, 0]]
    assert mix_channels(3, 1).tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(("before", "after"), COUNTS)
def test_a_decoder_head_predicts_for_every_channel_what_it_predicted_for_grey(
    before: int, after: int
) -> None:
    pixels, dim = 2 * 4 * 4, 6
    weights = {
        EMBED_WEIGHT: torch.randn(5, before, 2, 4, 4),
        EMBED_BIAS: torch.zeros(5),
        HEAD[0]: torch.randn(pixels, 1, dim).expand(-1, before, -1).flatten(0, 1),
        HEAD[1]: torch.randn(pixels, 1).expand(-1, before).flatten(),
    }

    fitted, changes = fit_channels(weights, config(before), config(after))

    for name in HEAD:
        old = weights[name].reshape(pixels, before, -1)
        rows = fitted[name].reshape(pixels, after, -1)
        torch.testing.assert_close(rows, old[:, :1].expand_as(rows))
        assert f"outputs for {before} channels to {after}" in changes[name]


def test_as_many_channels_change_nothing() -> None:
    weights = {EMBED_WEIGHT: torch.randn(5, 3, 2, 4, 4), EMBED_BIAS: torch.zeros(5)}

    fitted, changes = fit_channels(weights, config(3), config(3))

    assert fitted[EMBED_WEIGHT] is weights[EMBED_WEIGHT] and not changes

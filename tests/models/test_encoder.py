import pytest
import torch
from torch import nn

from videomae_cli.config.transformer import SIZES
from videomae_cli.grid import TokenGrid
from videomae_cli.models.encoder import Encoder, normalize_clip
from videomae_cli.position_table import sine_table

GRID = TokenGrid(4, 48, 32)  # 2 x 3 x 2 tokens


def encoder(*, final_norm: bool = True) -> Encoder:
    torch.manual_seed(0)
    return Encoder(GRID, SIZES["micro"], final_norm=final_norm)


def clip(batch: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 3, 4, 48, 32), dtype=torch.uint8)


def test_pixels_and_normalised_floats_give_the_same_latents():
    model, pixels = encoder(), clip()

    torch.testing.assert_close(model(pixels), model(normalize_clip(pixels)), atol=1e-5, rtol=0)


def test_normalisation_subtracts_the_mean_and_divides_by_the_standard_deviation():
    pixels = clip()
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)

    normalized = normalize_clip(pixels, mean, std)

    for channel in range(3):
        expected = (pixels[:, channel] / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(normalized[:, channel], expected, atol=2e-6, rtol=0)


def test_an_encoder_normalises_with_its_own_statistics():
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    model = Encoder(GRID, SIZES["micro"], final_norm=True, mean=mean, std=std)
    pixels = clip()

    expected = model(normalize_clip(pixels, mean, std))

    torch.testing.assert_close(model(pixels), expected, atol=1e-5, rtol=0)


def test_without_a_mask_every_token_is_visible():
    model, pixels = encoder(), clip()

    everything = torch.arange(GRID.tokens).expand(2, -1)

    torch.testing.assert_close(model(pixels), model(pixels, everything), atol=1e-6, rtol=0)


def test_masked_pixels_do_not_change_the_latents():
    model, pixels = encoder(), clip()
    visible = torch.tensor(
        [[0, 5, 6], [1, 2, 11]]
    )  # in the first clip no token at row 0, column 1 is visible
    changed = pixels.clone()
    changed[0, :, :, :16, 16:] = 0

    assert torch.equal(model(pixels, visible), model(changed, visible))


def test_tokens_have_the_position_embedding_of_their_index():
    model = encoder(final_norm=False).double()
    model.blocks = nn.ModuleList()
    visible = torch.tensor([[3, 7], [0, 11]])
    pixels = torch.full((2, 3, 4, 48, 32), 7, dtype=torch.uint8)

    latents = model(pixels, visible)

    token = model(pixels)[0, 0] - sine_table(12, 48)[0]
    torch.testing.assert_close(latents, token + sine_table(12, 48)[visible], atol=1e-6, rtol=0)


def test_the_state_dict_contains_only_parameters():
    model = encoder()

    assert model.state_dict().keys() == dict(model.named_parameters()).keys()


def test_a_model_built_on_meta_works_after_assigning_weights():
    weights, pixels = encoder().state_dict(), clip()
    with torch.device("meta"):
        empty = Encoder(GRID, SIZES["micro"], final_norm=True)

    empty.load_state_dict(weights, assign=True)

    assert torch.equal(empty(pixels), encoder()(pixels))


@pytest.mark.parametrize("final_norm", [True, False])
def test_there_is_a_final_norm_if_requested(final_norm: bool):
    names = encoder(final_norm=final_norm).state_dict().keys()

    assert ("norm.weight" in names) is final_norm

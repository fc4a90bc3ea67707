import math

import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.masking.mask import Mask, select
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.targets import patchify

GRID = TokenGrid(4, 48, 32)
DECODER = TransformerConfig(dim=32, depth=2, heads=2, mlp_dim=128)


def autoencoder(masker=None, normalize="patch") -> Autoencoder:
    torch.manual_seed(0)
    masker = masker or masker_for(MaskSpec(strategy="tube", ratio=0.5), GRID)
    encoder = Encoder(GRID, SIZES["micro"], final_norm=True)
    return Autoencoder(encoder, DECODER, masker, normalize)


def batch(clips: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (clips, 3, 4, 48, 32), dtype=torch.uint8)
    return pixels, torch.rand(clips, 2, GRID.tokens)


@pytest.mark.parametrize("normalize", ["patch", "none"])
def test_the_loss_is_the_mean_squared_error_of_prediction_and_target(normalize: str):
    model, (pixels, noise) = autoencoder(normalize=normalize), batch()

    loss, prediction, mask = model(pixels, noise)

    assert prediction.shape == (3, 6, GRID.tubelet_pixels)
    torch.testing.assert_close(prediction, model.decode(model.encode(pixels, mask), mask))
    expected = (prediction - model.target(pixels, mask)).square().mean()
    torch.testing.assert_close(loss, expected)


def test_the_first_row_of_noise_decides_the_mask():
    model, (pixels, noise) = autoencoder(), batch()

    mask = model(pixels, noise).mask

    expected = masker_for(MaskSpec(strategy="tube", ratio=0.5), GRID)(
        noise, make_black_content(GRID.tokens)
    )
    assert all(torch.equal(a, b) for a, b in zip(mask, expected, strict=True))


def test_raw_targets_are_the_pixels_between_0_and_1():
    model, (pixels, noise) = autoencoder(normalize="none"), batch()
    mask = model(pixels, noise).mask

    target = model.target(pixels, mask)

    assert torch.equal(target, select(patchify(pixels, GRID), mask.target_BM) / 255)


def test_uncounted_predictions_do_not_enter_the_loss():
    visible, target = torch.tensor([[0, 1, 2]] * 3), torch.tensor([[2, 3, 4]] * 3)
    counted = torch.tensor([[False, True, True]] * 3)
    model = autoencoder(lambda noise, content: Mask(visible, target, counted))
    pixels, noise = batch()

    output = model(pixels, noise)

    error = output.prediction_BMP - model.target(pixels, output.mask)
    torch.testing.assert_close(output.loss, error[:, 1:].square().mean())


def test_a_masker_can_use_the_embedded_tokens_without_gradient():
    seen = []

    def masker(noise, content):
        seen.append(content.tokens())
        return masker_for(MaskSpec(strategy="tube", ratio=0.5), GRID)(noise, content)

    model, (pixels, noise) = autoencoder(masker), batch()
    model(pixels, noise)

    assert torch.equal(seen[0], model.encoder.embed(patchify(pixels, GRID)))
    assert seen[0].shape == (3, GRID.tokens, 48) and not seen[0].requires_grad


def test_the_prediction_of_a_clip_does_not_depend_on_its_place_in_the_batch():
    model, (pixels, noise) = autoencoder(), batch()

    forward = model(pixels, noise).prediction_BMP
    backward = model(pixels.flip(0), noise.flip(0)).prediction_BMP

    torch.testing.assert_close(forward, backward.flip(0), atol=1e-5, rtol=0)


def test_every_parameter_has_a_gradient():
    model, (pixels, noise) = autoencoder(), batch()

    model(pixels, noise).loss.backward()

    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_bfloat16_gives_a_float32_loss_close_to_the_exact_one():
    model, (pixels, noise) = autoencoder(), batch()
    exact = model(pixels, noise).loss

    with torch.autocast("cpu", torch.bfloat16):
        output = model(pixels, noise)

    assert output.loss.dtype == torch.float32
    assert output.prediction_BMP.dtype == torch.bfloat16
    assert output.loss.item() == pytest.approx(exact.item(), abs=0.01)


def test_a_fresh_model_starts_near_a_loss_of_one():
    model, (pixels, noise) = autoencoder(), batch()

    assert 0.9 < model(pixels, noise).loss.item() < 2.0


def test_floats_are_refused():
    model, (pixels, noise) = autoencoder(), batch()

    with pytest.raises(AssertionError, match="uint8"):
        model(pixels.float(), noise)


def test_initial_weights_follow_the_rules():
    model = autoencoder()
    weights = model.state_dict()

    for prefix in ("encoder", "decoder"):
        for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"):
            weight = weights[f"{prefix}.blocks.1.{layer}.weight"]
            bound = math.sqrt(6 / sum(weight.shape))  # Xavier
            assert 0.95 * bound < weight.abs().max() <= bound
    zero = [k for k in weights if k.endswith(("q_bias", "v_bias", "fc1.bias", "head.bias"))]
    assert len(zero) == 3 * 5 + 1 and not any(weights[k].any() for k in zero)
    assert 0.019 < weights["mask_token"].abs().max() <= 0.02
    bound = 1 / math.sqrt(GRID.tubelet_pixels)  # torch's own initial values of a convolution
    for name in ("weight", "bias"):
        largest = weights[f"encoder.patch_embed.proj.{name}"].abs().max()
        assert 0.8 * bound < largest <= bound
    assert (
        0.95 / math.sqrt(48) < weights["encoder_to_decoder.weight"].abs().max() <= 1 / math.sqrt(48)
    )
    assert all((weights[k] == 1).all() for k in weights if "norm" in k and k.endswith("weight"))


def test_the_last_block_of_the_decoder_computes_the_targets_alone():
    model, (pixels, noise) = autoencoder(), batch()
    tokens: list[int] = []
    for block in model.decoder.blocks:
        block.mlp.register_forward_hook(lambda layer, x, out: tokens.append(out.shape[1]))

    mask = model(pixels, noise).mask

    assert tokens == [GRID.tokens, mask.target_BM.shape[1]]

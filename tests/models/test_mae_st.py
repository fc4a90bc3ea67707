"""MAE-ST in the shared models: the properties that its paper describes, for several sizes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from videomae_cli.config.model import MaskSpec
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder, normalize_clip
from videomae_cli.models.target_frames import FRAMES
from videomae_cli.models.targets import denormalize_tubelets, normalize_jointly, patchify

LEARNED = {"positions": "separable", "class_token": True, "biases": "all"}
GRID = TokenGrid(4, 48, 32)  # 2 x 3 x 2 tokens
MEAN, STD = (0.45,) * 3, (0.225,) * 3


def config(**sizes: int) -> TransformerConfig:
    return TransformerConfig(**sizes, **LEARNED)


def autoencoder(size: str = "micro", grid: TokenGrid = GRID, ratio: float = 0.5) -> Autoencoder:
    torch.manual_seed(0)
    decoder = config(dim=32, depth=2, heads=2, mlp_dim=128)
    if size != "micro":
        decoder = config(dim=512, depth=4, heads=16, mlp_dim=2048)
    encoder = SIZES[size].model_copy(update=LEARNED)
    return Autoencoder(
        Encoder(grid, encoder, final_norm=True, mean=MEAN, std=STD),
        decoder,
        masker_for(MaskSpec(strategy="random", ratio=ratio), grid),
        "joint",
        frame_tu=FRAMES["linspace"](grid),
        rules="mae-st",
    )


def batch(clips: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (clips, 3, 4, 48, 32), dtype=torch.uint8)
    return pixels, torch.rand(clips, 2, GRID.tokens)


def count(model: nn.Module) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


@pytest.mark.parametrize(
    ("size", "pretrain", "finetune"),
    [("vitb", 99.9, 86.7), ("vitl", 317.7, 304.5), ("vith", 645.7, 632.4)],
)
def test_models_have_the_published_parameters(size: str, pretrain: float, finetune: float):
    grid = TokenGrid(16, 224, 224)
    with torch.device("meta"):
        whole = autoencoder(size, grid, ratio=0.9)
        encoder = SIZES[size].model_copy(update=LEARNED)
        tuned = Classifier(Encoder(grid, encoder, final_norm=False), 400)

    assert abs(count(whole) - pretrain) < 0.1 and abs(count(tuned) - finetune) < 0.1
    assert whole.decoder.head.out_features == 768


def test_of_1568_tokens_156_are_visible_and_1412_predicted():
    grid = TokenGrid(16, 224, 224)
    noise = torch.rand(2, 2, grid.tokens, generator=torch.Generator().manual_seed(0))

    mask = masker_for(MaskSpec(strategy="random", ratio=0.9), grid)(noise, None)

    assert (mask.visible_BV.shape, mask.target_BM.shape) == ((2, 156), (2, 1412))


def test_gathered_positions_are_those_of_the_full_table_bit_for_bit():
    model = autoencoder().encoder
    model.norm, model.blocks = nn.Identity(), nn.ModuleList()
    model.patch_embed.proj.weight.data.zero_()
    model.patch_embed.proj.bias.data.zero_()
    visible = torch.tensor([[3, 7, 11], [0, 5, 6]])
    pixels, _ = batch(2)

    some, every = model(pixels, visible), model(pixels)

    space, time = model.positions.space[0], model.positions.time[0]
    table = torch.stack([space[n % 6] + time[n // 6] for n in range(12)])
    assert torch.equal(every, table.expand(2, -1, -1))
    assert torch.equal(some, table[visible])


def test_the_loss_does_not_depend_on_the_order_of_tokens():
    model, (pixels, noise) = autoencoder(), batch()
    loss, prediction, mask = model(pixels, noise)
    some, other = torch.randperm(6), torch.randperm(6)
    shuffled = Mask(mask.visible_BV[:, some], mask.target_BM[:, other], mask.counted_BM[:, other])
    model.masker = lambda noise, content: shuffled

    again, same, _ = model(pixels, noise)

    torch.testing.assert_close(again, loss, atol=1e-6, rtol=0)
    torch.testing.assert_close(same, prediction[:, other], atol=1e-5, rtol=0)


def test_frames_that_are_not_predicted_do_not_change_the_targets():
    model, (pixels, noise) = autoencoder(), batch()
    mask = model(pixels, noise).mask
    changed = pixels.clone()
    changed[:, :, 1:3] = 0  # of frames 0 to 3, linspace selects the first and the last
    changed_target = model.target(changed, mask)

    assert torch.equal(changed_target, model.target(pixels, mask))
    assert torch.equal(changed_target, model.target(normalize_clip(pixels, MEAN, STD), mask))


def test_the_class_token_takes_part_in_attention_but_is_not_an_output():
    model, pixels = autoencoder().encoder, batch()[0]

    before = model(pixels)
    model.class_token.data.add_(1)

    assert before.shape == (3, 12, 48)
    assert not torch.equal(model(pixels), before)


def test_a_class_token_needs_no_position():
    encoder = SIZES["micro"].model_copy(update={"class_token": True})
    model = Encoder(GRID, encoder, final_norm=True)

    assert model(batch()[0]).shape == (3, 12, 48)
    assert {"class_token"} == {name for name in model.state_dict() if "token" in name}


def test_features_are_the_mean_over_patch_tokens_alone():
    model = Classifier(autoencoder().encoder, 4)
    model.encoder.norm = nn.Identity()
    pixels, _ = batch()

    expected = model.fc_norm(model.encoder(pixels).mean(dim=1))

    assert model.encoder(pixels).shape[1] == 12
    torch.testing.assert_close(model.features(pixels), expected)


def test_every_parameter_has_a_gradient_but_the_biases_of_keys():
    model, (pixels, noise) = autoencoder(), batch()
    before = model(pixels, noise).loss

    before.backward()
    idle = [name for name, p in model.named_parameters() if p.grad.abs().max() < 1e-7]
    for name, parameter in model.named_parameters():
        if name.endswith("k_bias"):
            parameter.data.add_(torch.randn_like(parameter))

    assert all(name.endswith("k_bias") for name in idle) and len(idle) == 5
    torch.testing.assert_close(model(pixels, noise).loss, before, atol=1e-5, rtol=0)


def test_a_clip_of_one_colour_gives_finite_targets_and_gradients():
    model, (pixels, noise) = autoencoder(), batch()
    even = torch.full_like(pixels, 128)

    loss = model(even, noise).loss
    loss.backward()

    assert loss.isfinite() and not model.target(even, model(even, noise).mask).any()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_joint_normalisation_mixes_channels_with_epsilon_inside_the_root():
    values = np.random.default_rng(0).normal(size=(2, 3, 48))
    values[1] = 0.3 + 1e-3 * values[1]  # nearly even: here the epsilon shows
    mean = values.mean(axis=-1, keepdims=True)
    std = np.sqrt(values.var(axis=-1, ddof=1, keepdims=True) + 1e-6)

    normalized, mean_BM1, std_BM1 = normalize_jointly(torch.from_numpy(values))

    np.testing.assert_allclose(normalized, (values - mean) / std, rtol=1e-9)
    np.testing.assert_allclose(denormalize_tubelets(normalized, mean_BM1, std_BM1), values)


def test_targets_are_computed_from_the_normalised_input():
    model, (pixels, noise) = autoencoder(), batch()
    mask = model(pixels, noise).mask
    seen = patchify(normalize_clip(pixels, MEAN, STD), GRID)[0, mask.target_BM[0]].double()
    frame = seen.reshape(6, 2, -1)[torch.arange(6), (mask.target_BM[0] >= 6).long()]

    expected = (frame - frame.mean(1, keepdim=True)) / (frame.var(1, keepdim=True) + 1e-6).sqrt()

    torch.testing.assert_close(model.target(pixels, mask)[0], expected.float(), atol=1e-5, rtol=0)


def test_initial_weights_follow_the_rules():
    torch.manual_seed(0)
    model = autoencoder()
    weights = model.state_dict()

    for name in ("encoder.blocks.1.attn.qkv.weight", "decoder.blocks.1.attn.qkv.weight"):
        for matrix in weights[name].chunk(3):
            bound = math.sqrt(6 / sum(matrix.shape))
            assert 0.95 * bound < matrix.abs().max() <= bound
    for name in ("encoder.blocks.0.mlp.fc1", "encoder_to_decoder", "decoder.head"):
        bound = math.sqrt(6 / sum(weights[f"{name}.weight"].shape))
        assert 0.95 * bound < weights[f"{name}.weight"].abs().max() <= bound
        assert not weights[f"{name}.bias"].any()
    embed = weights["encoder.patch_embed.proj.weight"].flatten(1)
    assert 0.95 < embed.abs().max() / math.sqrt(6 / sum(embed.shape)) <= 1
    for name in ("encoder.positions.space", "encoder.class_token", "mask_token"):
        assert 0.014 < weights[name].std() < 0.026, name
    for name in ("time", "token"):
        assert weights[f"decoder.positions.{name}"].any()
    assert not weights["decoder.class_token"].any()
    zero = [name for name in weights if name.endswith(("q_bias", "k_bias", "v_bias"))]
    assert len(zero) == 15 and not any(weights[name].any() for name in zero)


def test_bfloat16_gives_a_float32_loss_close_to_the_exact_one():
    model, (pixels, noise) = autoencoder(), batch()
    exact = model(pixels, noise).loss

    with torch.autocast("cpu", torch.bfloat16):
        output = model(pixels, noise)

    assert output.loss.dtype == torch.float32
    assert output.loss.item() == pytest.approx(exact.item(), abs=0.01)


def test_a_model_built_on_meta_works_after_assigning_weights():
    model, (pixels, noise) = autoencoder(), batch()
    with torch.device("meta"):
        empty = autoencoder()

    empty.load_state_dict(model.state_dict(), assign=True)

    assert torch.equal(empty(pixels, noise).loss, model(pixels, noise).loss)

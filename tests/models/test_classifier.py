import math

import torch
import torch.nn.functional as F  # noqa: N812

from videomae_cli.config.transformer import SIZES
from videomae_cli.grid import TokenGrid
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder, normalize_clip

GRID = TokenGrid(4, 48, 32)


def classifier(classes: int = 5, **options: float) -> Classifier:
    torch.manual_seed(0)
    return Classifier(Encoder(GRID, SIZES["micro"], final_norm=False), classes, **options)


def clip() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 4, 48, 32), dtype=torch.uint8)


def test_features_are_the_normalised_mean_of_all_tokens():
    model, pixels = classifier(), clip()

    expected = F.layer_norm(model.encoder(pixels).mean(dim=1), (48,), eps=1e-6)

    torch.testing.assert_close(model.features(pixels), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(model(pixels), model.head(expected), atol=1e-6, rtol=0)


def test_pixels_and_normalised_floats_give_the_same_logits():
    model, pixels = classifier(head_scale=1.0), clip()

    torch.testing.assert_close(model(pixels), model(normalize_clip(pixels)), atol=1e-5, rtol=0)


def test_a_fresh_classifier_has_the_loss_of_a_uniform_guess():
    model = classifier()

    loss = F.cross_entropy(model(clip()), torch.tensor([0, 3]))

    assert abs(loss.item() - math.log(5)) < 0.01


def test_head_dropout_acts_in_training_only():
    model, pixels = classifier(head_scale=1.0, head_dropout=0.5), clip()

    assert not torch.equal(model(pixels), model(pixels))
    model.eval()
    assert torch.equal(model(pixels), model(pixels))


def test_initial_weights_follow_the_rules():
    torch.manual_seed(0)
    model = Classifier(Encoder(GRID, SIZES["tiny"], final_norm=False), 100, head_scale=0.01)

    for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"):
        weight = model.encoder.blocks[2].get_submodule(layer).weight
        assert 0.0195 < weight.std().item() < 0.0205
    assert 0.0195e-2 < model.head.weight.std().item() < 0.0205e-2
    assert not model.head.bias.any()
    assert not model.encoder.blocks[0].attn.proj.bias.any()
    bound = 1 / math.sqrt(GRID.tubelet_pixels)
    assert 0.9 * bound < model.encoder.patch_embed.proj.weight.abs().max() <= bound

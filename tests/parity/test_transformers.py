"""Our models and those of `transformers`, where it is installed, agree on random weights."""

import re

import pytest
import torch
from torch import Tensor

from videomae_cli.config.card import StackSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder, normalize_clip

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

GRID = TokenGrid(4, 24, 24, patch=8)  # it knows square clips only
ENCODER = StackSpec(dim=24, depth=2, heads=3, mlp_dim=40)
DECODER = StackSpec(dim=16, depth=1, heads=2, mlp_dim=20)
NAMES = (
    (r"^videomae\.embeddings\.patch_embeddings\.projection", "encoder.patch_embed.proj"),
    (r"^videomae\.encoder\.layer", "encoder.blocks"),
    (r"^videomae\.layernorm", "encoder.norm"),
    (r"^decoder\.decoder_layers", "decoder.blocks"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"attention\.attention\.(query|value)\.bias", lambda m: f"attn.{m[1][0]}_bias"),
    (r"attention\.attention\.(q|v)_bias", r"attn.\1_bias"),  # its older versions
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"^classifier", "head"),
)


def native(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    ours = {}
    for name, value in theirs.items():
        if name.endswith(("key.weight", "value.weight")):
            continue
        if name.endswith("query.weight"):
            stem = name.removesuffix("query.weight")
            value = torch.cat(
                [theirs[f"{stem}{part}.weight"] for part in ("query", "key", "value")]
            )
            name = stem.replace("attention.attention.", "attn.qkv.weight")
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        ours[name] = value
    return ours


def config(**options: object) -> object:
    return transformers.VideoMAEConfig(
        image_size=24, patch_size=8, num_frames=4, tubelet_size=2, layer_norm_eps=1e-6,
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=20, initializer_range=0.2, **options,
    )  # fmt: skip


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def clip() -> Tensor:
    return torch.randint(0, 256, (2, 3, 4, 24, 24), dtype=torch.uint8)


@torch.no_grad()
@pytest.mark.parametrize("normalize", ["patch", "none"])
def test_autoencoders_agree(normalize: str):
    torch.manual_seed(0)
    options = {"use_mean_pooling": False, "norm_pix_loss": normalize == "patch"}
    theirs = randomised(transformers.VideoMAEForPreTraining(config(**options)))
    order = torch.rand(2, GRID.tokens).argsort(dim=1)
    visible, target = (part.sort(dim=1).values for part in order.split([5, 13], dim=1))
    mask = Mask(visible, target, torch.ones_like(target, dtype=torch.bool))
    encoder = Encoder(GRID, ENCODER, final_norm=True)
    ours = Autoencoder(encoder, DECODER, GRID, lambda noise, tokens: mask, normalize)
    ours.load_state_dict(native(theirs.state_dict()))
    hidden = torch.zeros(2, GRID.tokens, dtype=torch.bool).scatter_(1, target, True)
    pixels = clip()

    expected = theirs(normalize_clip(pixels).transpose(1, 2), bool_masked_pos=hidden)
    found = ours(pixels, torch.zeros(2, 2, GRID.tokens))

    torch.testing.assert_close(found.prediction_BMP, expected.logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.loss, expected.loss, atol=1e-5, rtol=0)


@torch.no_grad()
def test_classifiers_agree():
    torch.manual_seed(0)
    theirs = randomised(transformers.VideoMAEForVideoClassification(config(num_labels=5)))
    ours = Classifier(Encoder(GRID, ENCODER, final_norm=False), 5)
    ours.load_state_dict(native(theirs.state_dict()))
    pixels = clip()

    expected = theirs(normalize_clip(pixels).transpose(1, 2)).logits

    torch.testing.assert_close(ours(pixels), expected, atol=1e-5, rtol=0)

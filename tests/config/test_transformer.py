"""The encoder sizes have the published numbers of parameters."""

from typing import get_args

import torch
from torch import nn

from videomae_cli.config.model import MaskSpec, Size
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder

GRID = TokenGrid(16, 224, 224)
DECODERS = {
    "vits": TransformerConfig(dim=192, depth=4, heads=3, mlp_dim=768),
    "vitb": TransformerConfig(dim=384, depth=4, heads=6, mlp_dim=1536),
    "vitl": TransformerConfig(dim=512, depth=12, heads=8, mlp_dim=2048),
    "vith": TransformerConfig(dim=640, depth=12, heads=8, mlp_dim=2560),
}
# whole model, encoder, decoder
AUTOENCODERS = {
    "vits": (24_029_376, 21_879_936, 2_075_520),
    "vitb": (94_210_944, 86_227_200, 7_688_448),
    "vitl": (342_996_992, 303_860_736, 38_611_456),
    "vith": (692_487_296, 631_607_040, 60_060_416),
}
# by size and number of classes
CLASSIFIERS = {
    ("vits", 400): 22_033_936,
    ("vitb", 400): 86_534_800,
    ("vitb", 174): 86_361_006,
    ("vitl", 400): 304_270_736,
    ("vith", 400): 632_119_440,
    ("micro", 7): 158_887,
    ("tiny", 7): 595_399,
}


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def autoencoder(size: str) -> Autoencoder:
    masker = masker_for(MaskSpec(strategy="tube", ratio=0.9), GRID)
    with torch.device("meta"):
        return Autoencoder(Encoder(GRID, SIZES[size], final_norm=True), DECODERS[size], masker)


def classifier(size: str, classes: int) -> Classifier:
    with torch.device("meta"):
        return Classifier(Encoder(GRID, SIZES[size], final_norm=False), classes)


def test_the_schema_names_exactly_the_sizes_there_are():
    assert set(get_args(Size)) == SIZES.keys()


def test_autoencoders_have_the_published_parameters():
    models = {size: autoencoder(size) for size in AUTOENCODERS}
    counts = {k: (count(m), count(m.encoder), count(m.decoder)) for k, m in models.items()}

    assert counts == AUTOENCODERS


def test_classifiers_have_the_documented_parameters():
    counts = {(size, k): count(classifier(size, k)) for size, k in CLASSIFIERS}

    assert counts == CLASSIFIERS

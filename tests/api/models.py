"""Small models with random weights in every part, also in the head, and the videos for them."""

from pathlib import Path

import torch

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, CLASSIFIER
from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.models.build import BUILDERS

NAMES = ("jump.mp4", "run.mp4", "walk.mp4")


def write_model(directory: Path, config: ModelConfig) -> Path:
    """Write a model whose head counts as trained; return the directory."""
    torch.manual_seed(0)
    weights = BUILDERS[config.kind](config).state_dict()
    if "head.bias" in weights:
        weights["head.weight"] = torch.randn(weights["head.weight"].shape)
        weights["head.bias"] = torch.randn(weights["head.bias"].shape)
    write_native(directory, weights, config)
    return directory


def write_classifier(directory: Path) -> Path:
    return write_model(directory, CLASSIFIER)


def write_autoencoder(directory: Path) -> Path:
    return write_model(directory, AUTOENCODER)


def write_videos(folder: Path) -> list[Path]:
    return [
        write_clip(folder / name, 20 + 5 * number, height=40 + 8 * number, width=56)
        for number, name in enumerate(NAMES)
    ]

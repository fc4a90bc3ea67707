"""A report that records its messages, and the smallest model configurations of both kinds."""

from collections.abc import Sequence
from pathlib import Path

import torch

from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import BUILDERS
from videomae_cli.report import Silence

STACK = TransformerConfig(dim=24, depth=2, heads=3, mlp_dim=96)
GRID = TokenGrid(frames=4, height=32, width=32, tubelet=2, patch=8, channels=3)
AUTOENCODER = ModelConfig(
    kind="autoencoder",
    encoder=STACK,
    decoder=TransformerConfig(dim=16, depth=1, heads=2, mlp_dim=64),
    grid=GRID,
    stride_frames=2,
    normalize="patch",
    mask={"strategy": "tube", "ratio": 0.75},
)
CLASSIFIER = ModelConfig(
    kind="classifier", encoder=STACK, grid=GRID, classes=("left", "right", "up")
)


def learned(config: ModelConfig) -> ModelConfig:
    """Return the configuration of a MAE-ST model of the same size."""
    parts = {"positions": "separable", "class_token": True, "biases": "all"}
    update: dict[str, object] = {"encoder": config.encoder.model_copy(update=parts)}
    if config.decoder is not None:
        update |= {"decoder": config.decoder.model_copy(update=parts), "normalize": "joint"}
        update |= {"target_frames": "linspace", "mask": MaskSpec(strategy="random", ratio=0.75)}
    return config.model_copy(update=update)


class Notes(Silence):
    """Records messages, warnings and tables."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.tables: list[Sequence[Sequence[str]]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.tables.append(rows)

    def has(self, words: str) -> bool:
        return any(words in line for line in self.said)


def written(directory: Path, config: ModelConfig, seed: int = 0) -> Path:
    """Write a model of this configuration with random weights; return the directory."""
    torch.manual_seed(seed)
    write_native(directory, BUILDERS[config.kind](config).state_dict(), config)
    return directory

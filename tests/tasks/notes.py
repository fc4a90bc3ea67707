"""A report that remembers, and the smallest cards and weights of both kinds."""

from collections.abc import Sequence
from pathlib import Path

import torch

from videomae_cli.checkpoints.files import write_native
from videomae_cli.config.card import Card, GridSpec, StackSpec
from videomae_cli.engine.report import Silence
from videomae_cli.tasks.build import BUILDERS

STACK = StackSpec(dim=24, depth=2, heads=3, mlp_dim=96)
GRID = GridSpec(frames=4, height=32, width=32, tubelet=2, patch=8, channels=3)
AUTOENCODER = Card(
    kind="autoencoder",
    encoder=STACK,
    decoder=StackSpec(dim=16, depth=1, heads=2, mlp_dim=64),
    grid=GRID,
    stride_frames=2,
    normalize="patch",
    mask={"strategy": "tube", "ratio": 0.75},
)
CLASSIFIER = Card(kind="classifier", encoder=STACK, grid=GRID, classes=("left", "right", "up"))


def learned(card: Card) -> Card:
    """Return the card of a MAE-ST model of the same size."""
    parts = {"positions": "separable", "class_token": True, "biases": "all"}
    update: dict[str, object] = {"encoder": card.encoder.model_copy(update=parts)}
    if card.decoder is not None:
        update |= {"decoder": card.decoder.model_copy(update=parts), "normalize": "joint"}
        update |= {"target_frames": "linspace", "mask": {"strategy": "random", "ratio": 0.75}}
    return card.model_copy(update=update)


class Notes(Silence):
    """Keeps what it is told."""

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


def written(directory: Path, card: Card, seed: int = 0) -> Path:
    """Write a model of this card with fresh weights."""
    torch.manual_seed(seed)
    write_native(directory, BUILDERS[card.kind](card).state_dict(), card)
    return directory

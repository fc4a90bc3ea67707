"""The part of a model that is exported, and the comparison of an exported model with the original.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, D embedding dimension, K classes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from videomae_cli.checkpoints.finite import require_finite
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.model import Task
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import BUILDERS, Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.transformer.layers import TubeletEmbed
from videomae_cli.tasks.convert.export_formats import ModelFunction
from videomae_cli.tasks.load_model import load_weights

BATCHES = (1, 3)
TOLERANCE = 1e-4  # relative to the largest value; rounding causes about 1e-6
MIN_VALUE = 1e-6
MEANINGS: dict[Task, tuple[str, str]] = {
    "single-label": ("logits", "class logits, before softmax: batch, class"),
    "multi-label": ("logits", "class logits, before sigmoid: batch, class"),
    "regression": ("values", "values in the units of the training data: batch, value"),
}
"""Name and meaning of the output of a classifier."""
FEATURES = "features before the head: batch, embedding dimension"
LATENTS = (
    "latents of all tokens, after the encoder's last norm if it has one: batch, token, embedding"
    " dimension"
)


class Features(nn.Module):
    """A model without its head: clips in, features_BD out."""

    def __init__(self, model: Classifier | Backbone) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip_BCTHW: Tensor) -> Tensor:
        """Compute the features of clips."""
        if isinstance(self.model, Classifier):
            return self.model.features(clip_BCTHW)
        features_BD: Tensor = self.model.fc_norm(self.model.encoder(clip_BCTHW).mean(dim=1))
        return features_BD


class ConstantEmbed(nn.Module):
    """A tubelet embedding whose weights are stored as they are multiplied: weight_PD.

    `TubeletEmbed` turns those of a convolution at each call. An exported model would do so at each
    call too, and quantisers would find no constant.
    """

    def __init__(self, embed: TubeletEmbed) -> None:
        super().__init__()
        assert embed.proj.bias is not None
        weight_PD = embed.make_matrix().detach().T.contiguous()
        self.weight = nn.Parameter(weight_PD, requires_grad=False)
        self.bias = embed.proj.bias

    def forward(self, pixels_BVP: Tensor) -> Tensor:
        """Embed normalised tubelets: tokens_BVD, without positions."""
        return pixels_BVP @ self.weight + self.bias


@contextmanager
def constant_embedding(model: nn.Module) -> Iterator[None]:
    """Give a model a `ConstantEmbed` for the time of its export."""
    encoder = next(part for part in model.modules() if isinstance(part, Encoder))
    embed = encoder.patch_embed
    encoder.add_module("patch_embed", ConstantEmbed(embed))
    try:
        yield
    finally:
        encoder.patch_embed = embed


class ExportModel(NamedTuple):
    """The part of a model that is exported, and the name and meaning of its output."""

    model: nn.Module
    grid: TokenGrid
    """Geometry of its input clips."""
    output: str
    meaning: str


class Parity(NamedTuple):
    """The difference between the outputs of an exported model and of the original."""

    batches: tuple[int, ...]
    """Sizes of the batches compared."""
    largest_difference: float
    largest_number: float
    """Largest absolute value in the outputs of the original."""


def build_export_model(loaded: Checkpoint, *, features: bool) -> ExportModel:
    """Build the part of a checkpoint's model that is exported.

    `features` leaves out a classifier's head. Models without one always give features or latents.
    Raises a `CheckpointError` if values are not finite.
    """
    config = loaded.config
    require_finite(loaded.weights, loaded.file, loaded.origins)
    model = BUILDERS[config.kind](config)
    load_weights(model, loaded.weights)
    model.eval()
    if isinstance(model, Classifier):
        choice = model.frame_choice
        grid = model.encoder.grid if choice is None else choice.candidates
        if features:
            return ExportModel(Features(model).eval(), grid, "features", FEATURES)
        return ExportModel(model, grid, *MEANINGS[config.task])
    assert isinstance(model, Autoencoder | Backbone)
    if isinstance(model, Backbone) and config.norm_of == "mean":
        return ExportModel(Features(model).eval(), model.encoder.grid, "features", FEATURES)
    return ExportModel(model.encoder, model.encoder.grid, "latents", LATENTS)


def make_clips(batch: int, grid: TokenGrid) -> Tensor:
    """Return random clips, the same for each batch size: clip_BCTHW, uint8."""
    shape = (batch, grid.channels, grid.frames, grid.height, grid.width)
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@torch.no_grad()
def compare_outputs(
    original: ExportModel, exported: ModelFunction, batches: tuple[int, ...] = BATCHES
) -> Parity:
    """Compare the outputs of an exported model and of the original for the same clips.

    Raises:
        CheckpointError: They differ by more than rounding.
    """
    clips = [make_clips(batch, original.grid) for batch in batches]
    pairs = [(original.model(clip_BCTHW), exported(clip_BCTHW)) for clip_BCTHW in clips]
    expected, actual = (
        torch.cat([side.flatten() for side in sides]) for sides in zip(*pairs, strict=True)
    )
    parity = Parity(batches, (expected - actual).abs().max().item(), expected.abs().max().item())
    relative = parity.largest_difference / max(parity.largest_number, MIN_VALUE)
    if not relative <= TOLERANCE:  # true for NaN as well
        raise CheckpointError(
            f"the {original.output} of the exported model differ from the original's by"
            f" {parity.largest_difference:.2g}, where the largest value is"
            f" {parity.largest_number:.2g}; nothing was written",
            "check that all weights are finite; if they are, please report it",
        )
    return parity

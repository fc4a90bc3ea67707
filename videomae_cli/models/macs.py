"""What a forward pass costs, counted while it runs.

Papers count multiply-accumulates as if every token of the clip were embedded once. We embed only
the visible ones where that is exact, and where motion is measured on embeddings, those once more
than all; so both numbers are given.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier


class Cost(NamedTuple):
    """Multiply-accumulates of one forward pass; matrix products and attention, nothing else."""

    executed: int
    """What ran."""
    published: int
    """What papers would state: with every token embedded once."""


@torch.no_grad()
def forward_cost(model: Autoencoder | Classifier, clip_BCTHW: Tensor, *noise: Tensor) -> Cost:
    """Run the model once and count.

    Args:
        model: On any device but `meta`, in evaluation mode where dropout matters.
        clip_BCTHW: As `model` takes it.
        noise: As an autoencoder takes it.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        model(clip_BCTHW, *noise)
    executed = counter.get_total_flops() // 2
    name = f"{type(model).__name__}.encoder.patch_embed"
    embedding = sum(counter.get_flop_counts().get(name, {}).values()) // 2
    grid, dim = model.encoder.grid, model.encoder.stack.dim
    once = len(clip_BCTHW) * grid.tokens * grid.tubelet_pixels * dim
    return Cost(executed, executed - embedding + once)

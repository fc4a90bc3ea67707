"""Count the multiply-accumulates of a forward pass while it runs.

Papers count as if every token of the clip were embedded once, and as if the last block of the
decoder computed every token. Here only the visible tokens are embedded where the result is the
same; where motion is measured on embeddings, all tokens are embedded and then the visible ones
again; and the last block computes the targets alone. So both counts are returned.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder, Decoder
from videomae_cli.models.classifier import Classifier


class MACs(NamedTuple):
    """Multiply-accumulates of one forward pass, in matrix products and attention only."""

    executed: int
    """Operations that ran."""
    published: int
    """Operations as papers count them: every token embedded once, and decoded by every block."""


@torch.no_grad()
def count_macs(model: Autoencoder | Classifier, clip_BCTHW: Tensor, *noise: Tensor) -> MACs:
    """Run the model once and count; not on `meta` if motion is measured, which needs values."""
    attention_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    counter = FlopCounterMode(
        display=False,
        custom_mapping={attention_on_cpu: _count_attention},  # the counter of torch 2.10 lacks it
    )
    with counter:
        output = model(clip_BCTHW, *noise)
    executed = counter.get_total_flops() // 2
    name = f"{type(model).__name__}.encoder.patch_embed"
    embedding = sum(counter.get_flop_counts().get(name, {}).values()) // 2
    grid, dim = model.encoder.grid, model.encoder.config.dim
    embedded_once = len(clip_BCTHW) * grid.tokens * grid.tubelet_pixels * dim
    published = executed - embedding + embedded_once
    if isinstance(model, Autoencoder):
        published += len(clip_BCTHW) * _undecoded(model.decoder, output.mask)
    return MACs(executed, published)


def _undecoded(decoder: Decoder, mask: Mask) -> int:
    """Return the multiply-accumulates that the last block saves, because targets are few."""
    block: Any = decoder.blocks[-1]
    hidden, dim = block.mlp.fc1.weight.shape
    undecoded = mask.visible_BV.shape[1] + (decoder.class_token is not None)
    tokens = undecoded + mask.target_BM.shape[1]
    # attention, its projection, and the MLP
    return int(undecoded * (2 * tokens * dim + dim**2 + 2 * dim * hidden))


def _count_attention(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object
) -> int:
    """Count the FLOPs of attention, two products, from the shapes (B, h, N, d) of its inputs."""
    return 2 * math.prod(query[:3]) * key[2] * (query[3] + value[3])

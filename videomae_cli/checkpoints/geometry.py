"""Weights of one clip geometry made to fit another: embeddings and learned position tables.

Every change of the tubelet embedding keeps its answer to a clip that stands still, and every change
of channels keeps its answer to a grey one. Learned tables are interpolated (`carry.py`); fixed ones
are computed, not stored, and need nothing.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from videomae_cli.checkpoints.carry import resize_positions
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid

EMBED = "encoder.patch_embed.proj.weight"


def fit(
    weights: Mapping[str, Tensor], old: TokenGrid, new: TokenGrid
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Make native weights fit another clip geometry.

    Args:
        weights: Native names to tensors.
        old: Grid they were trained on.
        new: Grid wanted.

    Returns:
        The weights, and what was changed: name to sentence.

    Raises:
        CheckpointError: A tubelet depth is no multiple of the other, or patches differ in size.
    """
    fitted, resized = resize_positions(weights, old, new)
    changed = dict.fromkeys(resized, "positions interpolated")
    if EMBED in weights:
        fitted[EMBED], words = fit_embedding(weights[EMBED], new)
        if words:
            changed[EMBED] = words
    return fitted, changed


def fit_embedding(weight_DCtpp: Tensor, grid: TokenGrid) -> tuple[Tensor, str]:
    """Inflate or collapse an embedding's depth, and average its channels; say what was done.

    Raises:
        CheckpointError: A depth is no multiple of the other, or patches differ in size.
    """
    _, channels, depth, patch, _ = weight_DCtpp.shape
    if patch != grid.patch:
        raise CheckpointError(
            f"{EMBED} has patches of {patch} pixels, the recipe of {grid.patch}",
            f"set clip.patch to {patch}",
        )
    done = []
    if depth != grid.tubelet:
        weight_DCtpp = _fit_depth(weight_DCtpp, grid.tubelet)
        verb = "repeated and divided" if depth < grid.tubelet else "summed over time"
        done.append(f"tubelets {depth} to {grid.tubelet} frames, {verb}")
    if channels != grid.channels:
        mean = weight_DCtpp.mean(dim=1, keepdim=True) * channels / grid.channels
        weight_DCtpp = mean.repeat(1, grid.channels, 1, 1, 1)
        done.append(f"channels {channels} to {grid.channels}, averaged")
    return weight_DCtpp, "; ".join(done)


def _fit_depth(weight_DCtpp: Tensor, depth: int) -> Tensor:
    old = weight_DCtpp.shape[2]
    if depth % old == 0:
        times = depth // old
        return weight_DCtpp.repeat_interleave(times, dim=2) / times
    if old % depth == 0:
        parts = [part.sum(dim=2, keepdim=True) for part in weight_DCtpp.chunk(depth, dim=2)]
        return torch.cat(parts, dim=2)
    raise CheckpointError(
        f"{EMBED} is {old} frames deep, the recipe's tubelets {depth}: neither divides the other",
        f"set clip.tubelet to {old}",
    )

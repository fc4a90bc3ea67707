"""Adapt pretrained weights to clips with another number of channels.

A grey clip gets the same tokens as its copies in all channels got from the source, whatever mean
and standard deviation each model normalises its pixels with: both are part of the change. That is
exact up to rounding. Colour clips get other tokens, because one channel cannot tell colours apart
and new channels repeat old ones (the idea of `adapt_input_conv` in timm).

Shapes: D embedding dimension, C channels, t frames, p pixels; the rows of a decoder head are
(frame, row, column, channel), with the channel changing fastest.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.checkpoints.transfer import fit_geometry
from videomae_cli.config.model_config import ModelConfig

EMBED_WEIGHT, EMBED_BIAS = "encoder.patch_embed.proj.weight", "encoder.patch_embed.proj.bias"
HEAD = ("decoder.head.weight", "decoder.head.bias")


def fit_clips(
    weights: Weights, old: ModelConfig, new: ModelConfig, *, parts: Sequence[str] = ("encoder",)
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Adapt native weights to other clips: their geometry (`fit_geometry`) and their channels.

    Returns:
        All weights, and the names of the adapted ones, each with a description of the change.

    Raises:
        CheckpointError: Neither tubelet depth divides the other, or patch sizes differ.
    """
    fitted, changes = fit_geometry(weights, old.grid, new.grid, parts=parts)
    fitted, others = fit_channels(fitted, old, new)
    for name, change in others.items():
        changes[name] = f"{changes[name]}; {change}" if name in changes else change
    return fitted, changes


def fit_channels(
    weights: Weights, old: ModelConfig, new: ModelConfig
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Adapt native weights of `old` to the channels of `new`, and to its mean and std.

    Fewer channels: the weights of the old ones are averaged, and their sum is kept. More channels:
    the old ones are repeated in their order, each divided by the number of its copies. The outputs
    of a decoder head are averaged or repeated.

    Returns:
        All weights, and the names of the adapted ones, each with a description of the change;
        no changes if both have as many channels.
    """
    before, after = old.grid.channels, new.grid.channels
    if before == after or EMBED_WEIGHT not in weights:
        return dict(weights), {}
    mixing_KC = mix_channels(before, after)
    how = "repeated and divided" if after > before else "summed" if after == 1 else "averaged"
    change = f"channels {before} to {after}, {how}, mean and std included"
    embedding = _fit_embedding(weights, mixing_KC, old, new)
    changes = dict.fromkeys(embedding, change)
    heads = {
        name: _fit_outputs(weights[name], mixing_KC)
        for name in HEAD
        if name in weights and len(weights[name]) % before == 0
    }
    how = "repeated" if after > before else "averaged"
    changes |= dict.fromkeys(heads, f"outputs for {before} channels to {after}, {how}")
    return {**weights, **embedding, **heads}, changes


def mix_channels(before: int, after: int) -> Tensor:
    """Return mixing_KC: the share of each old channel's weight that each new channel gets.

    The shares of an old channel add up to 1.
    """
    if after < before:
        return torch.full((after, before), 1 / after, dtype=torch.float64)
    copies_KC = torch.zeros(after, before, dtype=torch.float64)
    copies_KC[torch.arange(after), torch.arange(after) % before] = 1
    return copies_KC / copies_KC.sum(dim=0)


def _fit_embedding(
    weights: Weights, mixing_KC: Tensor, old: ModelConfig, new: ModelConfig
) -> dict[str, Tensor]:
    """Return weight and bias of the embedding: mixed as they act on pixels in 0..1."""
    weight_DCtpp = weights[EMBED_WEIGHT].double()
    (mean_C, std_C), (mean_K, std_K) = (
        (torch.tensor(config.mean).double(), torch.tensor(config.std).double())
        for config in (old, new)
    )
    weight_DCX = weight_DCtpp.flatten(2) / std_C[:, None]
    weight_DKX = torch.einsum("kc,dcx->dkx", mixing_KC, weight_DCX)
    shift_D = weight_DKX.sum(dim=2) @ mean_K - weight_DCX.sum(dim=2) @ mean_C
    weight_DKX = weight_DKX * std_K[:, None]
    weight = weight_DKX.reshape(*weight_DKX.shape[:2], *weight_DCtpp.shape[2:]).to(
        weights[EMBED_WEIGHT]
    )
    bias = (weights[EMBED_BIAS].double() + shift_D).to(weights[EMBED_BIAS])
    return {EMBED_WEIGHT: weight, EMBED_BIAS: bias}


def _fit_outputs(rows: Tensor, mixing_KC: Tensor) -> Tensor:
    """Return the rows of a decoder head, each new channel the mean of the old ones it is from."""
    shares_KC = mixing_KC / mixing_KC.sum(dim=1, keepdim=True)
    parts = rows.double().reshape(-1, mixing_KC.shape[1], *rows.shape[1:])
    return torch.einsum("kc,xc...->xk...", shares_KC, parts).flatten(0, 1).to(rows)

"""A second implementation of MAE-ST from its paper, clip by clip and in raster order.

A convolution instead of a linear map, kept tokens in the order of their noise, a full raster of
mask tokens into which they are put back, separate queries, keys and values. Reads a state dict of
the reference's names; class tokens and their positions where it has them.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.parity.oracle import norm

Weights = dict[str, Tensor]


def blocks(sd: Weights, prefix: str, x: Tensor, heads: int) -> Tensor:
    """Pass tokens_ND through all blocks."""
    depth = 0
    while f"{prefix}blocks.{depth}.norm1.weight" in sd:
        at = f"{prefix}blocks.{depth}."
        y = norm(sd, f"{at}norm1", x)
        q, k, v = (affine(sd, f"{at}attn.{part}", y).chunk(heads, dim=-1) for part in "qkv")
        mixed = [
            (a @ b.T / a.shape[-1] ** 0.5).softmax(-1) @ c for a, b, c in zip(q, k, v, strict=True)
        ]
        x = x + affine(sd, f"{at}attn.proj", torch.cat(mixed, dim=-1))
        y = F.gelu(affine(sd, f"{at}mlp.fc1", norm(sd, f"{at}norm2", x)))
        x = x + affine(sd, f"{at}mlp.fc2", y)
        depth += 1
    return x


def affine(sd: Weights, name: str, x: Tensor) -> Tensor:
    return x @ sd[f"{name}.weight"].T + sd[f"{name}.bias"]


def embed(sd: Weights, clip: Tensor) -> Tensor:
    weight = sd["patch_embed.proj.weight"]
    x = F.conv3d(clip[None], weight, sd["patch_embed.proj.bias"], stride=weight.shape[2:])
    return x[0].flatten(1).T


def positions(sd: Weights, prefix: str) -> Tensor:
    rows = [
        space + time
        for time in sd[f"{prefix}pos_embed_temporal"][0]
        for space in sd[f"{prefix}pos_embed_spatial"][0]
    ]
    return torch.stack(rows)


def prepend_token(sd: Weights, token: str, prefix: str, x: Tensor) -> Tensor:
    """Put the class token in front, if there is one."""
    if token not in sd:
        return x
    return torch.cat(((sd[token] + sd[f"{prefix}pos_embed_class"])[0], x))


def predict(sd: Weights, clip: Tensor, noise: Tensor, kept: int, heads: tuple[int, int]) -> Tensor:
    """Predict every token of one normalised clip, in raster order."""
    order = noise.argsort()[:kept]
    x = (embed(sd, clip) + positions(sd, ""))[order]
    x = blocks(sd, "", prepend_token(sd, "cls_token", "", x), heads[0])
    latent = norm(sd, "norm", x)[-kept:]
    raster = sd["mask_token"][0].repeat(len(noise), 1)
    raster[order] = affine(sd, "decoder_embed", latent)
    y = prepend_token(sd, "decoder_cls_token", "decoder_", raster + positions(sd, "decoder_"))
    y = norm(sd, "decoder_norm", blocks(sd, "decoder_", y, heads[1]))
    return affine(sd, "decoder_pred", y)[-len(noise) :]


def target(
    clip: Tensor, tubelet: int, patch: int, predicted: int, *, normalized: bool = True
) -> Tensor:
    """Cut the target of every token out of one normalised clip; `predicted` frames of all."""
    _, total, height, width = clip.shape
    chosen = np.floor(np.linspace(0, total - 1, predicted)).astype(int)
    per = tubelet * predicted // total
    rows = []
    for start in range(0, predicted, per):
        for top in range(0, height, patch):
            for left in range(0, width, patch):
                block = clip[:, chosen[start : start + per]][
                    :, :, top : top + patch, left : left + patch
                ]
                rows.append(block.permute(1, 2, 3, 0).flatten())
    values = torch.stack(rows)
    if not normalized:
        return values
    mean, var = values.mean(1, keepdim=True), values.var(1, keepdim=True, unbiased=True)
    return (values - mean) / (var + 1e-6) ** 0.5


def classify(sd: Weights, clip: Tensor, heads: int) -> Tensor:
    """Return the logits of one normalised clip."""
    tokens = embed(sd, clip) + positions(sd, "")
    x = blocks(sd, "", prepend_token(sd, "cls_token", "", tokens), heads)[-len(tokens) :]
    return affine(sd, "head", norm(sd, "norm", x.mean(0)))

"""A second, slow implementation of VideoMAE, to compute golden files of other sizes.

A convolution instead of a linear map, boolean masks instead of indices, softmax written out,
tubelets cut one by one, Adam by hand. Reads a state dict of the reference's names.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

MEAN, STD = (
    torch.tensor(x)[:, None, None, None] for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
)
Weights = dict[str, Tensor]


def embed(sd: Weights, clip: Tensor, prefix: str) -> Tensor:
    weight, bias = sd[f"{prefix}patch_embed.proj.weight"], sd[f"{prefix}patch_embed.proj.bias"]
    x = F.conv3d(clip, weight, bias, stride=weight.shape[2:]).flatten(2).transpose(1, 2)
    return x + positions(x.shape[1], x.shape[2])


def positions(tokens: int, dim: int) -> Tensor:
    table = np.zeros((tokens, dim))
    for j in range(dim):
        angle = np.arange(tokens) / np.power(10000, 2 * (j // 2) / dim)
        table[:, j] = np.cos(angle) if j % 2 else np.sin(angle)
    return torch.from_numpy(table).float()


def norm(sd: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], sd[f"{name}.weight"], sd[f"{name}.bias"], eps=1e-6)


def blocks(sd: Weights, prefix: str, x: Tensor, heads: int) -> Tensor:
    depth = 0
    while f"{prefix}blocks.{depth}.norm1.weight" in sd:
        at = f"{prefix}blocks.{depth}."
        y, dim = norm(sd, f"{at}norm1", x), x.shape[-1]
        bias = torch.cat([sd[f"{at}attn.q_bias"], torch.zeros(dim), sd[f"{at}attn.v_bias"]])
        q, k, v = (y @ sd[f"{at}attn.qkv.weight"].T + bias).split(dim, dim=-1)
        mixed = []
        for a, b, c in zip(*(z.split(dim // heads, dim=-1) for z in (q, k, v)), strict=True):
            logits = (a * (dim // heads) ** -0.5) @ b.transpose(1, 2)
            mixed.append(torch.exp(logits - logits.logsumexp(-1, keepdim=True)) @ c)
        x = x + torch.cat(mixed, -1) @ sd[f"{at}attn.proj.weight"].T + sd[f"{at}attn.proj.bias"]
        y = norm(sd, f"{at}norm2", x) @ sd[f"{at}mlp.fc1.weight"].T + sd[f"{at}mlp.fc1.bias"]
        y = y * 0.5 * (1 + torch.erf(y / 2**0.5))
        x = x + y @ sd[f"{at}mlp.fc2.weight"].T + sd[f"{at}mlp.fc2.bias"]
        depth += 1
    return x


def autoencode(
    sd: Weights,
    clip: Tensor,
    hidden: Tensor,
    heads: tuple[int, int],
    predicted: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Latents and predictions of a normalised clip.

    `hidden` and `predicted` are boolean masks; by default all hidden tokens are predicted.
    """
    predicted = hidden if predicted is None else predicted
    batch = len(clip)
    x = embed(sd, clip, "encoder.")
    x = x[~hidden].reshape(batch, -1, x.shape[-1])
    latent = norm(sd, "encoder.norm", blocks(sd, "encoder.", x, heads[0]))
    y = latent @ sd["encoder_to_decoder.weight"].T
    code = positions(hidden.shape[1], y.shape[-1]).expand(batch, -1, -1)
    seen = y + code[~hidden].reshape(y.shape)
    queries = sd["mask_token"] + code[predicted].reshape(batch, -1, y.shape[-1])
    z = blocks(sd, "decoder.", torch.cat([seen, queries], 1), heads[1])[:, -queries.shape[1] :]
    return latent, norm(sd, "decoder.norm", z) @ sd["decoder.head.weight"].T + sd[
        "decoder.head.bias"
    ]


def targets(clip: Tensor, hidden: Tensor, tubelet: int, patch: int, *, normalized: bool) -> Tensor:
    """Pixels of the hidden tokens of a normalised clip."""
    pixels = clip * STD + MEAN
    _, _, frames, height, width = clip.shape
    cut = []
    for t in range(0, frames, tubelet):
        for row in range(0, height, patch):
            for column in range(0, width, patch):
                u = pixels[:, :, t : t + tubelet, row : row + patch, column : column + patch]
                u = u.flatten(2).transpose(1, 2)
                if normalized:
                    u = (u - u.mean(1, keepdim=True)) / (u.var(1, keepdim=True).sqrt() + 1e-6)
                cut.append(u.flatten(1))
    whole = torch.stack(cut, 1)
    return whole[hidden].reshape(len(clip), -1, whole.shape[-1])


def classify(sd: Weights, clip: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Features and logits of a normalised clip."""
    features = norm(sd, "fc_norm", blocks(sd, "", embed(sd, clip, ""), heads).mean(1))
    return features, features @ sd["head.weight"].T + sd["head.bias"]


def train(
    weights: Weights,
    loss_of: Callable[[Weights], Tensor],
    *,
    rates: list[dict[str, float]],
    decays: dict[str, float],
    betas: tuple[float, float],
    clip: float = float("inf"),
) -> tuple[Tensor, Tensor]:
    """Take an AdamW step per entry of `rates`; return losses and gradient norms before clipping."""
    sd = {name: value.clone().requires_grad_() for name, value in weights.items()}
    m, v = ({name: torch.zeros_like(value) for name, value in sd.items()} for _ in "mv")
    losses, norms = [], []
    for step, rate in enumerate(rates, 1):
        loss = loss_of(sd)
        grads = dict(zip(sd, torch.autograd.grad(loss, list(sd.values())), strict=True))
        losses.append(loss.item())
        norms.append(sum((g**2).sum().item() for g in grads.values()) ** 0.5)
        for name, p in sd.items():
            g = grads[name] * min(1.0, clip / (norms[-1] + 1e-6))
            m[name] = betas[0] * m[name] + (1 - betas[0]) * g
            v[name] = betas[1] * v[name] + (1 - betas[1]) * g * g
            root = (v[name] / (1 - betas[1] ** step)).sqrt() + 1e-8
            move = m[name] / (1 - betas[0] ** step) / root
            p.data = p.data * (1 - rate[name] * decays[name]) - rate[name] * move
    return torch.tensor(losses), torch.tensor(norms)

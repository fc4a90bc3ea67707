"""The architecture of the model in a golden file, from tensor shapes; heads from its metadata."""

import re

import torch
from torch import Tensor

from tests.parity.golden_file import Golden
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.encoder import Encoder


def build_encoder(
    golden: Golden,
    weights: dict[str, Tensor],
    clip_shape: torch.Size,
    *,
    final_norm: bool,
    prefix: str = "",
) -> Encoder:
    """Build the encoder that the file's shapes describe."""
    _, channels, tubelet, patch, _ = weights[f"{prefix}patch_embed.proj.weight"].shape
    _, _, frames, height, width = clip_shape
    grid = TokenGrid(frames, height, width, tubelet, patch, channels)
    config = measure_config(weights, prefix, int(golden.fact("encoder_heads")))
    return Encoder(grid, config, final_norm=final_norm)


def measure_config(weights: dict[str, Tensor], prefix: str, heads: int) -> TransformerConfig:
    """Return the transformer configuration that the shapes determine."""
    mlp_dim, dim = weights[f"{prefix}blocks.0.mlp.fc1.weight"].shape
    pattern = re.compile(re.escape(prefix) + r"blocks\.\d+\.norm1\.weight")
    depth = sum(bool(pattern.fullmatch(name)) for name in weights)
    return TransformerConfig(
        dim=dim,
        depth=depth,
        heads=heads,
        mlp_dim=mlp_dim,
        positions="separable" if f"{prefix}positions.space" in weights else "sine",
        class_token=f"{prefix}class_token" in weights,
        biases="all" if f"{prefix}blocks.0.attn.k_bias" in weights else "qv",
    )

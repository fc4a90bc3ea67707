"""The layers of the models: tubelet embedding, attention, pre-norm transformer block.

Shapes: B batch, N tokens, V visible tokens, D embedding dimension, P values in a tubelet, h heads,
d embedding dimension of a head.

The MLP and stochastic depth have the parameter names and arithmetic of timm's, which takes as long
to import as torch.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.config.model import Biases
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid

NORM_EPS = 1e-6
STORED_WEIGHTS = 2**25  # attention weights kept for the backward pass: 64 MiB per block


class TubeletEmbed(nn.Module):
    """Linear projection of tubelets to tokens.

    The parameters are those of a 3-D convolution whose kernel size equals its stride.
    """

    def __init__(self, grid: TokenGrid, dim: int) -> None:
        super().__init__()
        kernel = (grid.tubelet, grid.patch, grid.patch)
        # never called: it gives the parameters their usual names, shapes and initial values
        self.proj = nn.Conv3d(grid.channels, dim, kernel, kernel)

    def forward(self, pixels_BVP: Tensor) -> Tensor:
        """Embed normalised tubelets: tokens_BVD, without positions."""
        weight_DP = self.make_matrix()
        return F.linear(pixels_BVP.to(weight_DP.dtype), weight_DP, self.proj.bias)

    def make_matrix(self) -> Tensor:
        """Return the weights for tubelets, which are channel-last: weight_DP."""
        return self.proj.weight.permute(0, 2, 3, 4, 1).flatten(1)


class Attention(nn.Module):
    """Multi-head self-attention over all tokens.

    Keys have a bias only with `biases` "all": it changes no output, because the softmax cancels it,
    but the weights of MAE-ST contain one.
    """

    def __init__(self, dim: int, heads: int, biases: Biases = "qv") -> None:
        super().__init__()
        assert dim % heads == 0, f"dimension {dim} is not a multiple of {heads} heads"
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.k_bias = nn.Parameter(torch.zeros(dim)) if biases == "all" else None
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Apply self-attention: x_BND."""
        k_bias = torch.zeros_like(self.q_bias) if self.k_bias is None else self.k_bias
        bias = torch.cat((self.q_bias, k_bias, self.v_bias))
        qkv = F.linear(x_BND, self.qkv.weight, bias)
        qkv_BN3hd = qkv.reshape(*x_BND.shape[:2], 3, self.heads, -1)
        q_BhNd, k_BhNd, v_BhNd = qkv_BN3hd.transpose(1, 3).unbind(2)
        mixed_BhNd = attend(q_BhNd, k_BhNd, v_BhNd)
        mixed_BND: Tensor = self.proj(mixed_BhNd.transpose(1, 2).flatten(2))
        return mixed_BND


def attend(q_BhNd: Tensor, k_BhNd: Tensor, v_BhNd: Tensor) -> Tensor:
    """Return scaled dot-product attention: softmax(q k^T / sqrt(d)) v.

    Uses the fused kernel of torch, except for bfloat16 on a CPU if there are few enough weights to
    store them: there the fused kernel takes two to four times as long, forward and backward
    (measured on AVX512-bf16).
    """
    # evaluate numel() last: in an exported model it would fix the batch size
    is_slow = q_BhNd.device.type == "cpu" and q_BhNd.dtype == torch.bfloat16
    if not is_slow or q_BhNd.shape[:-1].numel() * k_BhNd.shape[-2] > STORED_WEIGHTS:
        return F.scaled_dot_product_attention(q_BhNd, k_BhNd, v_BhNd)
    logits_BhNN = (q_BhNd / math.sqrt(q_BhNd.shape[-1])) @ k_BhNd.transpose(-1, -2)
    return logits_BhNN.softmax(dim=-1) @ v_BhNd


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Apply the MLP to each token: x_BND."""
        out_BND: Tensor = self.fc2(self.act(self.fc1(x_BND)))
        return out_BND


class DropPath(nn.Module):
    """Stochastic depth: in training, drop a residual branch for some samples (arXiv 1603.09382).

    The branch of the others is divided by the probability to keep it.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x_BND: Tensor) -> Tensor:
        """Zero the branch of whole samples with probability `drop_prob`: x_BND."""
        if not self.training:
            return x_BND
        keep_prob = 1 - self.drop_prob
        scale_B11 = x_BND.new_empty(len(x_BND), 1, 1).bernoulli_(keep_prob)
        return x_BND * (scale_B11.div_(keep_prob) if keep_prob else scale_B11)


class Block(nn.Module):
    """Pre-norm transformer block: attention, then MLP, each with a residual connection.

    Under autocast the residual stream keeps its dtype; `drop_path` is the drop probability of each
    residual branch.
    """

    def __init__(
        self, dim: int, heads: int, mlp_dim: int, drop_path: float = 0.0, biases: Biases = "qv"
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, heads, biases)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, mlp_dim)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x_BND: Tensor) -> Tensor:
        """Apply the block: x_BND."""
        x_BND = x_BND + self.drop_path(self.attn(self.norm1(x_BND)))
        out_BND: Tensor = x_BND + self.drop_path(self.mlp(self.norm2(x_BND)))
        return out_BND


def build_blocks(config: TransformerConfig, drop_path: float = 0.0) -> nn.ModuleList:
    """Build the blocks; stochastic depth increases linearly from 0 to `drop_path`."""
    last = max(config.depth - 1, 1)
    return nn.ModuleList(
        Block(config.dim, config.heads, config.mlp_dim, drop_path * i / last, config.biases)
        for i in range(config.depth)
    )

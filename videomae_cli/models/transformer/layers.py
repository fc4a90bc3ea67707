"""The layers of the models: tubelet embedding, MLP, pre-norm transformer block.

Shapes: B batch, N tokens, M of them that are queries, V visible tokens, D embedding dimension, P
values in a tubelet.

The MLP and stochastic depth have the parameter names and arithmetic of timm's, which takes as long
to import as torch.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videomae_cli.config.model import Biases
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.transformer.attention import Attention

NORM_EPS = 1e-6


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
    residual branch. A block that `recomputes` stores three tensors for its backward pass: the
    inputs of both norms and of the last projection of attention.
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
        self.recomputes = False

    def forward(self, x_BND: Tensor, queries: int | None = None) -> Tensor:
        """Apply the block: x_BMD.

        With `queries`, the output is that of so many last tokens, which attend to all.
        """
        x_BMD = x_BND if queries is None else x_BND[:, -queries:]
        x_BMD = x_BMD + self.drop_path(self.attn.proj(self._mix(x_BND, queries)))
        out_BMD: Tensor = x_BMD + self.drop_path(self._transform(x_BMD))
        return out_BMD

    def _mix(self, x_BND: Tensor, queries: int | None) -> Tensor:
        """Apply norm and attention, without its last projection."""
        if stores_little(x_BND):
            from videomae_cli.models.transformer.branches import attention_branch

            return attention_branch(
                x_BND, self.norm1, self.attn, queries or x_BND.shape[1], recompute=self.recomputes
            )
        return self._maybe_checkpoint(lambda x: self.attn.mix(self.norm1(x), queries), x_BND)

    def _transform(self, x_BMD: Tensor) -> Tensor:
        """Apply norm and MLP."""
        if stores_little(x_BMD):
            from videomae_cli.models.transformer.branches import mlp_branch

            fc1, fc2 = self.mlp.fc1, self.mlp.fc2
            return mlp_branch(x_BMD, self.norm2, fc1, fc2, recompute=self.recomputes)
        return self._maybe_checkpoint(lambda x: self.mlp(self.norm2(x)), x_BMD)

    def _maybe_checkpoint(self, branch: Callable[[Tensor], Tensor], x_BND: Tensor) -> Tensor:
        if not self.recomputes:
            return branch(x_BND)
        out_BND: Tensor = checkpoint(branch, x_BND, use_reentrant=False)
        return out_BND


def stores_little(x_BND: Tensor) -> bool:
    """Whether the branches of a block run as the functions of `branches.py`."""
    return (
        x_BND.device.type == "cpu"
        and x_BND.dtype == torch.float32
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and not torch.compiler.is_compiling()
    )


def build_blocks(config: TransformerConfig, drop_path: float = 0.0) -> nn.ModuleList:
    """Build the blocks; stochastic depth increases linearly from 0 to `drop_path`."""
    last = max(config.depth - 1, 1)
    return nn.ModuleList(
        Block(config.dim, config.heads, config.mlp_dim, drop_path * i / last, config.biases)
        for i in range(config.depth)
    )

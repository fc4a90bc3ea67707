"""The two branches of a transformer block as autograd functions that store little.

Autograd stores the input of every operation. These store the input of a branch and the outputs of
its products; norm, GELU, bfloat16 copies of parameters and, from some size on, attention weights
are computed again in the backward pass from the same values, by the same kernels; with AMX the
forward pass of large batches is torch's fused attention, whose weights differ by their rounding.
With `recompute`, only the input is stored.

Used for training in bfloat16 on a CPU. Norm and GELU take 3 to 5 % of a step of ViT-S once more; at
ViT-B's size that is won back, because torch's fused attention has a slow backward pass.

Shapes: B batch, N tokens, M of them that are queries, D embedding dimension, I inputs, O outputs, H
hidden units, h heads, d embedding dimension of a head, m matrices, one for each clip and head.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from videomae_cli.models.transformer.attention import (
    Attention,
    attend_in_blocks,
    attention_gradient,
    is_fused_fast,
    merge_heads,
    split_heads,
)

STORED_WEIGHTS = 2**26
"""Most attention weights of a block that are stored for the backward pass: 128 MiB."""

Gradients = tuple[Tensor, Tensor, Tensor]


def attention_branch(
    x_BND: Tensor, norm: nn.LayerNorm, attention: Attention, queries: int, *, recompute: bool
) -> Tensor:
    """Apply layer norm and attention, without its last projection: mixed_BMD, bfloat16.

    `queries` is the number of last tokens that are queries.
    """
    linear = (attention.qkv.weight, attention.make_bias())
    mixed_BMD: Tensor = _AttentionBranch.apply(
        x_BND, norm.weight, norm.bias, norm.eps, *linear, attention.heads, queries, recompute
    )
    return mixed_BMD


def mlp_branch(
    x_BND: Tensor, norm: nn.LayerNorm, fc1: nn.Linear, fc2: nn.Linear, *, recompute: bool
) -> Tensor:
    """Apply layer norm, linear layer, GELU and linear layer: out_BND, bfloat16."""
    linear = (fc1.weight, fc1.bias, fc2.weight, fc2.bias)
    out_BND: Tensor = _MlpBranch.apply(x_BND, norm.weight, norm.bias, norm.eps, *linear, recompute)
    return out_BND


class _AttentionBranch(Function):
    """Layer norm, projection to queries, keys and values, attention; not the last projection."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        """Return mixed_BMD.

        The inputs are x_BND; weight, bias and epsilon of the norm; weight and bias of the
        projection; the numbers of heads and of queries; `recompute`.
        """
        x_BND, norm_weight, norm_bias, ctx.eps, weight, bias, ctx.heads, queries, recompute = inputs
        normed_BND, _, _ = _norm(x_BND, norm_weight, norm_bias, ctx.eps)
        qkv_3BhNd = _project(normed_BND, weight, bias, ctx.heads)
        kept: list[Tensor] = []
        q_BhMd, k_BhNd, v_BhNd = qkv_3BhNd[0, :, :, -queries:], *qkv_3BhNd[1:]
        weights = q_BhMd[..., 0].numel() * k_BhNd.shape[-2]
        if weights > STORED_WEIGHTS and is_fused_fast(q_BhMd):
            mixed_BhMd = F.scaled_dot_product_attention(q_BhMd, k_BhNd, v_BhNd)
        else:
            is_kept = weights <= STORED_WEIGHTS and not recompute
            q_mMd, k_mNd, v_mNd = (x.flatten(0, 1) for x in (q_BhMd, k_BhNd, v_BhNd))
            mixed_mMd = attend_in_blocks(q_mMd, k_mNd, v_mNd, kept if is_kept else None)
            mixed_BhMd = mixed_mMd.view(q_BhMd.shape)
        qkv = [] if recompute else [qkv_3BhNd]
        ctx.save_for_backward(x_BND, norm_weight, norm_bias, weight, bias, *qkv, *kept)
        return merge_heads(mixed_BhMd)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradients of the inputs, given that of mixed_BMD."""
        x_BND, norm_weight, norm_bias, weight, bias, *stored = ctx.saved_tensors
        normed_BND, mean, rstd = _norm(x_BND, norm_weight, norm_bias, ctx.eps)
        qkv_3BhNd = stored[0] if stored else _project(normed_BND, weight, bias, ctx.heads)
        grad_BMhd = grads[0].reshape(*grads[0].shape[:2], ctx.heads, -1)
        grad_mMd = grad_BMhd.transpose(1, 2).flatten(0, 1)
        grad_3mNd = attention_gradient(qkv_3BhNd.flatten(1, 2), grad_mMd, stored[1:])
        grad_BN3hd = grad_3mNd.view(qkv_3BhNd.shape).permute(1, 3, 0, 2, 4)
        grad, grad_weight, grad_bias = _linear_gradients(grad_BN3hd.flatten(2), normed_BND, weight)
        norm = _norm_gradients(grad, x_BND, mean, rstd, norm_weight, norm_bias)
        return *norm, None, grad_weight, grad_bias, None, None, None


class _MlpBranch(Function):
    """Layer norm and MLP."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        """Return out_BND, in bfloat16.

        The inputs are x_BND; weight, bias and epsilon of the norm; weights and biases of both
        linear layers; `recompute`.
        """
        x_BND, norm_weight, norm_bias, ctx.eps, weight_HD, bias_H, weight_DH, bias_D, recompute = (
            inputs
        )
        normed_BND, _, _ = _norm(x_BND, norm_weight, norm_bias, ctx.eps)
        hidden_BNH = _linear(normed_BND, weight_HD, bias_H)
        del normed_BND
        hidden = [] if recompute else [hidden_BNH]
        ctx.save_for_backward(x_BND, norm_weight, norm_bias, weight_HD, bias_H, weight_DH, *hidden)
        return _linear(F.gelu(hidden_BNH), weight_DH, bias_D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradients of the inputs, given that of out_BND."""
        x_BND, norm_weight, norm_bias, weight_HD, bias_H, weight_DH, *hidden = ctx.saved_tensors
        normed_BND, mean, rstd = _norm(x_BND, norm_weight, norm_bias, ctx.eps)
        hidden_BNH = hidden[0] if hidden else _linear(normed_BND, weight_HD, bias_H)
        grad, grad_weight_DH, grad_bias_D = _linear_gradients(
            grads[0], F.gelu(hidden_BNH), weight_DH
        )
        torch.ops.aten.gelu_backward(grad, hidden_BNH, grad_input=grad)
        grad, grad_weight_HD, grad_bias_H = _linear_gradients(grad, normed_BND, weight_HD)
        norm = _norm_gradients(grad, x_BND, mean, rstd, norm_weight, norm_bias)
        return *norm, None, grad_weight_HD, grad_bias_H, grad_weight_DH, grad_bias_D, None


def _norm(
    x_BND: Tensor, weight_D: Tensor, bias_D: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the layer norm in bfloat16, and mean_BN1 and the reciprocal of the deviation_BN1."""
    out_BND, mean_BN1, rstd_BN1 = torch.native_layer_norm(
        x_BND, weight_D.shape, weight_D, bias_D, eps
    )
    return out_BND.bfloat16(), mean_BN1, rstd_BN1


def _project(normed_BND: Tensor, weight: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Return queries, keys and values, contiguous: qkv_3BhNd."""
    return split_heads(_linear(normed_BND, weight, bias), heads).contiguous()


def _linear(x_BNI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> Tensor:
    """Apply a linear layer in bfloat16."""
    return F.linear(x_BNI, weight_OI.bfloat16(), bias_O.bfloat16())


def _norm_gradients(
    grad_BND: Tensor,
    x_BND: Tensor,
    mean_BN1: Tensor,
    rstd_BN1: Tensor,
    weight_D: Tensor,
    bias_D: Tensor,
) -> Gradients:
    """Return the gradients of input, weight and bias of a layer norm."""
    every = [True, True, True]
    gradients: Gradients = torch.ops.aten.native_layer_norm_backward(
        grad_BND.float(), x_BND, weight_D.shape, mean_BN1, rstd_BN1, weight_D, bias_D, every
    )
    return gradients


def _linear_gradients(grad_BNO: Tensor, x_BNI: Tensor, weight_OI: Tensor) -> Gradients:
    """Return the gradients of the input, in bfloat16, and of weight and bias, in float32."""
    grad_MO, x_MI = grad_BNO.flatten(0, -2), x_BNI.flatten(0, -2)
    grad_O = (grad_MO.new_ones(1, len(grad_MO)) @ grad_MO)[0]  # a product is faster than a sum
    grad_OI = grad_MO.t() @ x_MI
    return grad_BNO @ weight_OI.bfloat16(), grad_OI.float(), grad_O.float()

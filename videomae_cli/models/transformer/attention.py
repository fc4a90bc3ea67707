"""Attention, and its forward and backward pass in few matrices at a time.

Shapes: B batch, N tokens, D embedding dimension, h heads, d embedding dimension of a head, m
matrices, one for each clip and head.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.config.model import Biases

BLOCK = 2**24
"""Attention weights that are computed at a time: 32 MiB, at least one matrix."""


class Attention(nn.Module):
    """Multi-head self-attention over all tokens: `proj(mix(x_BND))`.

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

    def mix(self, x_BND: Tensor) -> Tensor:
        """Return the heads' weighted means of values, before the last projection: mixed_BND."""
        qkv_BND3 = F.linear(x_BND, self.qkv.weight, self.make_bias())
        q_BhNd, k_BhNd, v_BhNd = split_heads(qkv_BND3, self.heads).unbind()
        return merge_heads(attend(q_BhNd, k_BhNd, v_BhNd))

    def make_bias(self) -> Tensor:
        """Return the biases of queries, keys and values, in this order."""
        k_bias = torch.zeros_like(self.q_bias) if self.k_bias is None else self.k_bias
        return torch.cat((self.q_bias, k_bias, self.v_bias))


def split_heads(qkv_BND3: Tensor, heads: int) -> Tensor:
    """Return queries, keys and values of each head, a view: qkv_3BhNd."""
    qkv_BN3hd = qkv_BND3.reshape(*qkv_BND3.shape[:2], 3, heads, -1)
    return qkv_BN3hd.permute(2, 0, 3, 1, 4)


def merge_heads(mixed_BhNd: Tensor) -> Tensor:
    """Concatenate the heads of each token: mixed_BND."""
    return mixed_BhNd.transpose(1, 2).flatten(2)


def attend(q_BhNd: Tensor, k_BhNd: Tensor, v_BhNd: Tensor) -> Tensor:
    """Return scaled dot-product attention: softmax(q k^T / sqrt(d)) v.

    By torch's fused kernel where that is fast, else by plain products.
    """
    if is_fused_fast(q_BhNd):
        return F.scaled_dot_product_attention(q_BhNd, k_BhNd, v_BhNd)
    if not torch.is_grad_enabled():
        q_mNd, k_mNd, v_mNd = (x.flatten(0, 1) for x in (q_BhNd, k_BhNd, v_BhNd))
        return attend_in_blocks(q_mNd, k_mNd, v_mNd).view(q_BhNd.shape)
    return _weights(q_BhNd, k_BhNd) @ v_BhNd


def is_fused_fast(q_BhNd: Tensor) -> bool:
    """Whether torch's fused forward pass is faster than plain products.

    In bfloat16 on a CPU without AMX it takes two to four times as long (measured with AVX-512).
    """
    is_cpu_bf16 = q_BhNd.device.type == "cpu" and q_BhNd.dtype == torch.bfloat16
    # the compiler comes first: it cannot look into the question after it
    return not is_cpu_bf16 or torch.compiler.is_compiling() or torch.cpu._is_amx_tile_supported()


def attend_in_blocks(
    q_mNd: Tensor, k_mNd: Tensor, v_mNd: Tensor, keep: list[Tensor] | None = None
) -> Tensor:
    """Attend in few matrices at a time: mixed_mNd; appends the attention weights to `keep`."""
    mixed_mNd = torch.empty_like(q_mNd)
    for block in _blocks(q_mNd, k_mNd):
        weights_mNN = _weights(q_mNd[block], k_mNd[block])
        torch.bmm(weights_mNN, v_mNd[block], out=mixed_mNd[block])
        if keep is not None:
            keep.append(weights_mNN)
    return mixed_mNd


def attention_gradient(qkv_3mNd: Tensor, grad_mNd: Tensor, kept: Sequence[Tensor]) -> Tensor:
    """Return the gradient of queries, keys and values, grad_3mNd, from that of the output.

    `kept` are the attention weights of `attend_in_blocks`; if empty, they are computed again.
    """
    q_mNd, k_mNd, v_mNd = qkv_3mNd
    grad_3mNd = torch.empty_like(qkv_3mNd)
    grad_q_mNd, grad_k_mNd, grad_v_mNd = grad_3mNd
    for number, block in enumerate(_blocks(q_mNd, k_mNd)):
        q, k, v, grad = (x[block] for x in (q_mNd, k_mNd, v_mNd, grad_mNd))
        weights_mNN = kept[number] if kept else _weights(q, k)
        torch.bmm(weights_mNN.transpose(1, 2), grad, out=grad_v_mNd[block])
        grad_mNN = torch.bmm(grad, v.transpose(1, 2))
        dtype = weights_mNN.dtype
        torch._softmax_backward_data(grad_mNN, weights_mNN, -1, dtype, grad_input=grad_mNN)
        torch.bmm(grad_mNN, k, out=grad_q_mNd[block])
        torch.bmm(grad_mNN.transpose(1, 2), q, out=grad_k_mNd[block])
        del weights_mNN, grad_mNN  # before those of the next block are made
    grad_3mNd[:2].div_(math.sqrt(q_mNd.shape[-1]))
    return grad_3mNd


def _weights(q: Tensor, k: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)), of any leading axes."""
    return ((q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)).softmax(dim=-1)


def _blocks(q_mNd: Tensor, k_mNd: Tensor) -> Iterator[slice]:
    """Yield slices of the matrices with at most `BLOCK` attention weights, or one matrix."""
    step = max(1, BLOCK // (q_mNd.shape[1] * k_mNd.shape[1]))
    for first in range(0, len(q_mNd), step):
        yield slice(first, first + step)

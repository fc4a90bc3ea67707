"""Attention, and its forward and backward pass in few matrices at a time.

Shapes: B batch, N tokens, M of them that are queries, D embedding dimension, h heads, d embedding
dimension of a head, m matrices, one for each clip and head.
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

    def mix(self, x_BND: Tensor, queries: int | None = None) -> Tensor:
        """Return the heads' weighted means of values, before the last projection: mixed_BMD.

        With `queries`, of that many last tokens; all tokens are keys.
        """
        qkv_BND3 = F.linear(x_BND, self.qkv.weight, self.make_bias())
        q_BhNd, k_BhNd, v_BhNd = split_heads(qkv_BND3, self.heads).unbind()
        q_BhMd = q_BhNd if queries is None else q_BhNd[:, :, -queries:]
        return merge_heads(attend(q_BhMd, k_BhNd, v_BhNd))

    def make_bias(self) -> Tensor:
        """Return the biases of queries, keys and values, in this order."""
        k_bias = torch.zeros_like(self.q_bias) if self.k_bias is None else self.k_bias
        return torch.cat((self.q_bias, k_bias, self.v_bias))


def split_heads(qkv_BND3: Tensor, heads: int) -> Tensor:
    """Return queries, keys and values of each head, a view: qkv_3BhNd."""
    qkv_BN3hd = qkv_BND3.reshape(*qkv_BND3.shape[:2], 3, heads, -1)
    return qkv_BN3hd.permute(2, 0, 3, 1, 4)


def merge_heads(mixed_BhMd: Tensor) -> Tensor:
    """Concatenate the heads of each token: mixed_BMD."""
    return mixed_BhMd.transpose(1, 2).flatten(2)


def attend(q_BhMd: Tensor, k_BhNd: Tensor, v_BhNd: Tensor) -> Tensor:
    """Return scaled dot-product attention: softmax(q k^T / sqrt(d)) v, mixed_BhMd.

    By torch's fused kernel where that is fast, else by plain products.
    """
    if is_fused_fast(q_BhMd):
        return F.scaled_dot_product_attention(q_BhMd, k_BhNd, v_BhNd)
    if not torch.is_grad_enabled():
        q_mMd, k_mNd, v_mNd = (x.flatten(0, 1) for x in (q_BhMd, k_BhNd, v_BhNd))
        return attend_in_blocks(q_mMd, k_mNd, v_mNd).view(q_BhMd.shape)
    return _logits(q_BhMd, k_BhNd).softmax(dim=-1) @ v_BhNd


def is_fused_fast(q_BhMd: Tensor) -> bool:
    """Whether torch's fused forward pass is faster than plain products.

    In bfloat16 on a CPU without AMX it takes two to four times as long (measured with AVX-512).
    """
    is_cpu_bf16 = q_BhMd.device.type == "cpu" and q_BhMd.dtype == torch.bfloat16
    # the compiler comes first: it cannot look into the question after it
    return not is_cpu_bf16 or torch.compiler.is_compiling() or torch.cpu._is_amx_tile_supported()


def attend_in_blocks(
    q_mMd: Tensor, k_mNd: Tensor, v_mNd: Tensor, keep: list[Tensor] | None = None
) -> Tensor:
    """Attend in few matrices at a time: mixed_mMd; appends the attention weights to `keep`."""
    mixed_mMd = torch.empty_like(q_mMd)
    for block in _blocks(q_mMd, k_mNd):
        weights_mMN = _weights(q_mMd[block], k_mNd[block])
        torch.bmm(weights_mMN, v_mNd[block], out=mixed_mMd[block])
        if keep is not None:
            keep.append(weights_mMN)
    return mixed_mMd


def attention_gradient(qkv_3mNd: Tensor, grad_mMd: Tensor, kept: Sequence[Tensor]) -> Tensor:
    """Return the gradient of queries, keys and values, grad_3mNd, from that of the output.

    The last M tokens are the queries; the gradient of the others' is 0. `kept` are the attention
    weights of `attend_in_blocks`; if empty, they are computed again.
    """
    queries = grad_mMd.shape[1]
    grad_3mNd = torch.empty_like(qkv_3mNd)
    grad_3mNd[0, :, :-queries] = 0
    q_mMd, k_mNd, v_mNd = qkv_3mNd[0, :, -queries:], *qkv_3mNd[1:]
    grad_q_mMd, grad_k_mNd, grad_v_mNd = grad_3mNd[0, :, -queries:], *grad_3mNd[1:]
    for number, block in enumerate(_blocks(q_mMd, k_mNd)):
        q, k, v, grad = (x[block] for x in (q_mMd, k_mNd, v_mNd, grad_mMd))
        weights_mMN = kept[number] if kept else _weights(q, k)
        torch.bmm(weights_mMN.transpose(1, 2), grad, out=grad_v_mNd[block])
        grad_mMN = torch.bmm(grad, v.transpose(1, 2))
        dtype = weights_mMN.dtype
        torch._softmax_backward_data(grad_mMN, weights_mMN, -1, dtype, grad_input=grad_mMN)
        torch.bmm(grad_mMN, k, out=grad_q_mMd[block])
        torch.bmm(grad_mMN.transpose(1, 2), q, out=grad_k_mNd[block])
        del weights_mMN, grad_mMN  # before those of the next block are made
    grad_3mNd[:2].div_(math.sqrt(q_mMd.shape[-1]))
    return grad_3mNd


def _logits(q: Tensor, k: Tensor) -> Tensor:
    """Return q k^T / sqrt(d), of any leading axes."""
    return (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)


def _weights(q: Tensor, k: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)), which overwrites the logits: no second buffer of M x N."""
    logits = _logits(q, k)
    return torch.softmax(logits, dim=-1, out=logits)


def _blocks(q_mMd: Tensor, k_mNd: Tensor) -> Iterator[slice]:
    """Yield slices of the matrices with at most `BLOCK` attention weights, or one matrix."""
    step = max(1, BLOCK // (q_mMd.shape[1] * k_mNd.shape[1]))
    for first in range(0, len(q_mMd), step):
        yield slice(first, first + step)

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from videomae_cli.models.transformer import attention
from videomae_cli.models.transformer.attention import (
    Attention,
    attend,
    attend_in_blocks,
    attention_gradient,
)

bf16 = torch.bfloat16


def test_attention_has_biases_on_queries_and_values_and_none_on_keys():
    layer = Attention(12, 3)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 5, 12)
    q, k, v = (x @ w.T for w in layer.qkv.weight.chunk(3))
    q, v = q + layer.q_bias, v + layer.v_bias
    mixed = torch.zeros(2, 5, 12)
    for head in range(3):
        at = slice(4 * head, 4 * head + 4)
        weights = (q[..., at] @ k[..., at].transpose(1, 2) / math.sqrt(4)).softmax(dim=-1)
        mixed[..., at] = weights @ v[..., at]

    torch.testing.assert_close(layer.proj(layer.mix(x)), layer.proj(mixed), atol=1e-5, rtol=1e-5)
    assert {name for name, _ in layer.named_parameters()} == {
        "qkv.weight", "q_bias", "v_bias", "proj.weight", "proj.bias",
    }  # fmt: skip


@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_all_ways_to_attend_in_bfloat16_agree_with_float32(
    is_fused: bool, is_training: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attention, "is_fused_fast", lambda q: is_fused)
    q, k, v = (torch.randn(2, 3, 40, 16) for _ in range(3))
    expected = F.scaled_dot_product_attention(q, k, v)

    with torch.set_grad_enabled(is_training):
        mixed = attend(*(x.bfloat16() for x in (q, k, v)))

    assert mixed.dtype == bf16
    torch.testing.assert_close(mixed.float(), expected, atol=0.03, rtol=0.02)


def test_one_query_attends_to_many_keys_without_gradients(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attention, "is_fused_fast", lambda q: False)
    q = torch.randn(1, 3, 1, 16).expand(2, -1, -1, -1)
    k, v = torch.randn(2, 2, 3, 40, 16)

    with torch.no_grad():
        mixed = attend(*(x.bfloat16() for x in (q, k, v)))

    expected = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(mixed.float(), expected, atol=0.03, rtol=0.02)


@pytest.mark.parametrize("block", [1, 2 * 9 * 9, 2**24])
@pytest.mark.parametrize("keep", [False, True])
def test_attention_in_blocks_has_the_bits_of_autograd(
    block: int, keep: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attention, "BLOCK", block)
    qkv = torch.randn(3, 5, 9, 16, dtype=bf16, requires_grad=True)
    gradient = torch.randn(5, 9, 16, dtype=bf16)
    q, k, v = qkv
    expected = ((q / math.sqrt(16)) @ k.transpose(1, 2)).softmax(dim=-1) @ v
    expected.backward(gradient)
    kept: list[torch.Tensor] = []

    with torch.no_grad():
        mixed = attend_in_blocks(q, k, v, kept if keep else None)
        grad = attention_gradient(qkv, gradient, kept)

    assert torch.equal(mixed, expected)
    assert sum(len(weights) for weights in kept) == (5 if keep else 0)
    assert qkv.grad is not None and torch.equal(grad, qkv.grad)

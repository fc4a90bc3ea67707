import pytest
import torch

from videomae_cli.models.transformer import attention, branches, layers
from videomae_cli.models.transformer.layers import Block


def one_step(
    block: Block, x: torch.Tensor, gradient: torch.Tensor, queries: int | None = None
) -> list[torch.Tensor]:
    """Return output and gradients of a step in bfloat16."""
    x = x.clone().requires_grad_()
    block.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        out = block(x, queries)
    out.backward(gradient)
    assert x.grad is not None
    gradients = [p.grad for p in block.parameters() if p.grad is not None]
    assert len(gradients) == len(list(block.parameters()))
    return [out.detach(), x.grad, *gradients]


@pytest.fixture
def block() -> Block:
    """Return a block whose every parameter matters."""
    torch.manual_seed(0)
    block = Block(32, 2, 80, biases="all")
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return block


@pytest.mark.parametrize("queries", [None, 1, 13, 20])
@pytest.mark.parametrize(
    ("stored", "recompute"), [(0, False), (0, True), (2**26, False), (2**26, True)]
)
def test_a_block_that_stores_little_has_the_bits_of_autograd(
    stored: int,
    recompute: bool,
    queries: int | None,
    block: Block,
    monkeypatch: pytest.MonkeyPatch,
):
    for module in (attention, branches):
        monkeypatch.setattr(module, "is_fused_fast", lambda q: False)
    monkeypatch.setattr(branches, "STORED_WEIGHTS", stored)
    x, gradient = torch.randn(2, 3, 20, 32)
    gradient = gradient[:, : queries or 20]
    with monkeypatch.context() as plain:
        plain.setattr(layers, "stores_little", lambda x: False)
        expected = one_step(block, x, gradient, queries)
    block.recomputes = recompute

    assert all(map(torch.equal, one_step(block, x, gradient, queries), expected))


def test_with_the_fused_forward_pass_gradients_agree_with_float32(
    block: Block, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(branches, "is_fused_fast", lambda q: True)
    monkeypatch.setattr(branches, "STORED_WEIGHTS", 0)
    x, gradient = torch.randn(2, 3, 20, 32)
    exact = x.clone().requires_grad_()
    block(exact).backward(gradient)
    expected = [exact.grad, *(p.grad.clone() for p in block.parameters())]
    names = ["input", *(name for name, _ in block.named_parameters())]

    found = one_step(block, x, gradient)[1:]

    for name, ours, right in zip(names, found, expected, strict=True):
        if name != "attn.k_bias":  # its gradient is 0
            assert (ours - right).norm() < 0.02 * right.norm(), name


def test_bytes_stored_for_each_token(block: Block, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(branches, "is_fused_fast", lambda q: False)
    monkeypatch.setattr(branches, "STORED_WEIGHTS", 0)
    x = torch.randn(1, 64, 32)
    parameters = {p.data_ptr() for p in block.parameters()}
    stored: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if 64 in tensor.shape:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in parameters:
                stored[storage.data_ptr()] = storage.nbytes()
        return tensor

    def count() -> float:
        stored.clear()
        with (
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16),
        ):
            block(x)
        return sum(stored.values()) / 64

    # two residuals, weighted means of values; queries, keys and values; hidden units
    dim, hidden = 32, 80
    residual, weighted = 2 * 4 * dim, 2 * dim
    assert count() == residual + weighted + 2 * 3 * dim + 2 * hidden
    block.recomputes = True
    assert count() == residual + weighted

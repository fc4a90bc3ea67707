import pytest
import torch
import torch._dynamo

from tests.notes import AUTOENCODER
from videomae_cli.config.training import Recompute
from videomae_cli.models.build import build_autoencoder
from videomae_cli.models.transformer.activation_checkpointing import checkpoint_activations
from videomae_cli.models.transformer.layers import Block


def one_step(
    recompute: Recompute, *, bf16: bool
) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """Return loss, gradients, and how many tensors were kept for the backward pass."""
    torch.manual_seed(0)
    model = build_autoencoder(AUTOENCODER, drop_path=0.5)
    if recompute:
        checkpoint_activations(model, recompute)
    clip = torch.randint(0, 256, (3, 3, 4, 32, 32), dtype=torch.uint8)
    noise = torch.rand(3, 2, 32)
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += 1
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bf16),
    ):
        loss = model(clip, noise).loss
    loss.backward()
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, kept


@pytest.mark.parametrize(
    ("recompute", "bf16", "share"),
    [
        (True, False, 0.5),
        (True, True, 0.5),
        ("selective", False, 0.7),
        ("selective", True, 0.9),  # in bfloat16 on a CPU little is stored in any case
    ],
)
def test_checkpointing_changes_no_bit_and_keeps_fewer_tensors(
    recompute: Recompute, bf16: bool, share: float
) -> None:
    loss, gradients, kept = one_step(False, bf16=bf16)

    again, same, fewer = one_step(recompute, bf16=bf16)

    assert torch.equal(loss, again)
    assert gradients.keys() == same.keys()
    assert all(torch.equal(gradients[name], same[name]) for name in gradients)
    assert fewer < kept * share


@pytest.mark.parametrize("recompute", [True, "selective"])
def test_parameter_names_do_not_change(recompute: Recompute) -> None:
    model = build_autoencoder(AUTOENCODER)
    before = list(model.state_dict())

    checkpoint_activations(model, recompute)

    assert list(model.state_dict()) == before


@pytest.mark.parametrize("recompute", [False, True, "selective"])
def test_the_compiler_takes_blocks_in_bfloat16_whole(recompute: Recompute) -> None:
    torch._dynamo.reset()
    blocks = torch.nn.Sequential(Block(16, 2, 32), Block(16, 2, 32))
    checkpoint_activations(blocks, recompute)

    with torch.autocast("cpu", torch.bfloat16):
        explained = torch._dynamo.explain(blocks)(torch.randn(2, 5, 16))

    assert (explained.graph_count, explained.graph_break_count) == (1, 0)

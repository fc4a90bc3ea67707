"""Optimization steps and parameter groups, as a golden file's metadata describes them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.parity.golden_file import Golden
from videomae_cli.engine.optim import Group, adamw


def optimizer_of(golden: Golden, groups: list[Group]) -> torch.optim.AdamW:
    """Build the optimizer that the metadata describes."""
    betas = golden.optimizer(r"betas=\(NUMBER"), golden.optimizer(r"betas=\([^,]*,\s*NUMBER")
    return adamw(groups, betas=betas, eps=golden.optimizer("eps=NUMBER"))


def steps(
    loss_of: Callable[[], Tensor],
    optimizer: torch.optim.AdamW,
    *,
    rates: list[float],
    clip_norm: float,
) -> tuple[Tensor, Tensor]:
    """Take one step per learning rate; return the losses and the gradient norms before clipping."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    losses, norms = [], []
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        optimizer.zero_grad()
        loss = loss_of()
        torch.autograd.backward(loss)
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, clip_norm).item())
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64)


def differing_groups(
    model: nn.Module, groups: list[Group], expected: dict[str, dict[str, float]]
) -> int:
    """Count the parameters with another weight decay or factor, missing ones included."""
    ours = {id(p): group for group in groups for p in group["params"]}
    actual = {name: ours[id(p)] for name, p in model.named_parameters()}
    return sum(
        name not in actual
        or name not in expected
        or any(
            not math.isclose(actual[name][key], expected[name][key], rel_tol=1e-12)
            for key in ("lr_scale", "weight_decay")
        )
        for name in actual.keys() | expected.keys()
    )

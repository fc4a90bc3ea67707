"""FSDP2: a model's weights, gradients and optimizer state split over the processes.

Every block is a unit, and so is what lies around the blocks. A unit's weights are gathered when it
runs and given back after it; gradients go each to the process that holds the weights. Computing is
as without, so are the numbers, but for the order of sums. What leaves the run (saves, `final/`) is
whole: it can go on on any number of processes, sharded or not.

The functions do nothing to a model that is not sharded, so callers need not ask.

Source: torch's `fully_shard`; the idea is ZeRO's third stage, arXiv 1910.02054.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from videomae_cli.engine.optim import Group


def shard(
    model: nn.Module,
    blocks: Iterable[nn.Module],
    groups: list[Group],
    *,
    device: torch.device,
    world: int,
) -> list[Group]:
    """Split a model over all processes; return the optimizer's groups over what it now holds.

    Args:
        model: On its device, in place; the same weights on all processes.
        blocks: Those of its modules that are gathered one at a time.
        groups: Of its parameters, which are replaced.
        device: Of this process.
        world: Processes.
    """
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    names = [[name_of[id(parameter)] for parameter in group["params"]] for group in groups]
    mesh = init_device_mesh(device.type, (world,))
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=False)  # needed again at once
    held = dict(model.named_parameters())
    return [
        {**group, "params": [held[name] for name in listed]}
        for group, listed in zip(groups, names, strict=True)
    ]


def exchange_gradients(model: nn.Module, *, now: bool) -> None:
    """Say whether the next backward pass hands gradients over, or adds them up where they are."""
    for unit in _units(model):
        unit.set_requires_gradient_sync(now, recurse=False)


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """Hold the whole model on every process, so that each may run it as often as it likes.

    To be entered and left by all processes together; no training and no `state_dict` inside.
    """
    units = _units(model)
    for unit in units:
        unit.unshard()
    try:
        with ExitStack() as held:
            for module in model.modules():
                if isinstance(module, FSDPModule):
                    held.enter_context(_resting(module._forward_pre_hooks))
                    held.enter_context(_resting(module._forward_hooks))
            yield
    finally:
        for unit in units:
            unit.reshard()


def full_tensor(tensor: Tensor) -> Tensor:
    """Return a tensor as it was before it was split; to be called by all processes."""
    if not isinstance(tensor, DTensor):
        return tensor
    full: Tensor = tensor.full_tensor()
    return full


def gather_to_cpu(tensors: Mapping[str, Tensor], *, here: bool) -> dict[str, Tensor]:
    """Return whole tensors where `here`, nothing elsewhere; to be called by all processes.

    One after the other is gathered and put into main memory, so no device ever holds all.
    """
    kept = {}
    for name, tensor in tensors.items():
        full = full_tensor(tensor)
        if here:
            kept[name] = full.cpu() if full is not tensor else full
    return kept


def shard_like(value: Tensor, held: Tensor) -> Tensor:
    """Return this process's part of a whole tensor if `held` is one, else the tensor itself."""
    if not isinstance(held, DTensor):
        return value
    part: DTensor = distribute_tensor(
        value.to(held.device), held.device_mesh, held.placements, src_data_rank=None
    )
    return part


def _units(model: nn.Module) -> list[FSDPModule]:
    """Return what is gathered at once, the outermost first."""
    return [module for module in model.modules() if isinstance(module, FSDPModule)]


@contextmanager
def _resting(hooks: dict[int, Callable[..., object]]) -> Iterator[None]:
    """Take a module's hooks away for a while: they gather, and remember what ran."""
    kept = dict(hooks)
    hooks.clear()
    try:
        yield
    finally:
        hooks.update(kept)

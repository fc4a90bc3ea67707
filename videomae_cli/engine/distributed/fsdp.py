"""FSDP2: shard the weights, gradients and optimizer state of a model over the processes.

Every block is a unit, and everything around the blocks is another. The weights of a unit are
gathered before it runs and freed afterwards (ZeRO stage 3, arXiv 1910.02054). Checkpoints contain
full tensors. All functions accept models and tensors that are not sharded.

torch's modules for this are imported by `shard` alone: they take as long as the rest of torch.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from videomae_cli.engine.optim import Group

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor
    from typing_extensions import TypeIs

    class FSDPUnit(FSDPModule, nn.Module):
        """A module that gathers its weights before it runs."""


def shard(
    model: nn.Module,
    blocks: Iterable[nn.Module],
    groups: list[Group],
    *,
    device: torch.device,
    world: int,
) -> list[Group]:
    """Shard a model in place over `world` processes; return parameter groups of its new parameters.

    The model is on its device, with the same weights on all processes. Its `blocks` are gathered
    one at a time.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    names = [[name_of[id(parameter)] for parameter in group["params"]] for group in groups]
    mesh = init_device_mesh(device.type, (world,))
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=False)  # the backward pass comes next
    sharded = dict(model.named_parameters())
    return [
        {**group, "params": [sharded[name] for name in group_names]}
        for group, group_names in zip(groups, names, strict=True)
    ]


def set_gradient_sync(model: nn.Module, *, enabled: bool) -> None:
    """Choose whether the next backward pass exchanges gradients or accumulates them locally."""
    for unit in _units(model):
        unit.set_requires_gradient_sync(enabled, recurse=False)


@contextmanager
def gather_weights(model: nn.Module) -> Iterator[None]:
    """Keep all weights on every process inside the block, so that each can run the model alone.

    Entered and left by all processes together; no training and no `state_dict` inside.
    """
    units = _units(model)
    for unit in units:
        unit.unshard()
    try:
        with ExitStack() as disabled:
            for unit in units:
                disabled.enter_context(_disable_hooks(unit._forward_pre_hooks))
                disabled.enter_context(_disable_hooks(unit._forward_hooks))
            yield
    finally:
        for unit in units:
            unit.reshard()


def full_tensor(tensor: Tensor) -> Tensor:
    """Return the full tensor of a shard; called by all processes."""
    if not _is_shard(tensor):
        return tensor
    full: Tensor = tensor.full_tensor()
    return full


def gather_to_cpu(tensors: Mapping[str, Tensor], *, is_writer: bool) -> dict[str, Tensor]:
    """Return full tensors on the writing process and nothing on others; called by all processes.

    Sharded tensors are gathered and moved to main memory one at a time, so that no device ever
    contains all of them.
    """
    gathered = {}
    for name, tensor in tensors.items():
        full = full_tensor(tensor)
        if is_writer:
            gathered[name] = full.cpu() if full is not tensor else full
    return gathered


def shard_like(value: Tensor, reference: Tensor) -> Tensor:
    """Return this process's shard of a full tensor, or the tensor if `reference` is not sharded."""
    if not _is_shard(reference):
        return value
    from torch.distributed.tensor import distribute_tensor

    part: DTensor = distribute_tensor(
        value.to(reference.device),
        reference.device_mesh,
        reference.placements,
        src_data_rank=None,
    )
    return part


def _is_shard(tensor: Tensor) -> "TypeIs[DTensor]":
    if type(tensor) in (Tensor, nn.Parameter):
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def _units(model: nn.Module) -> "list[FSDPUnit]":
    """Return the modules whose weights are gathered together, the outermost first."""
    if "torch.distributed.fsdp" not in sys.modules:  # no model of this process is sharded
        return []
    from torch.distributed.fsdp import FSDPModule

    return [cast("FSDPUnit", x) for x in model.modules() if isinstance(x, FSDPModule)]


@contextmanager
def _disable_hooks(hooks: dict[int, Callable[..., object]]) -> Iterator[None]:
    """Remove hooks of a module inside the block; FSDP's gather weights and record what ran."""
    removed = dict(hooks)
    hooks.clear()
    try:
        yield
    finally:
        hooks.update(removed)

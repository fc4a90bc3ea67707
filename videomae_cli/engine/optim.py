"""Parameter groups, with weight decay and layer-wise learning rate decay, and AdamW."""

import re
from collections.abc import Callable, Iterable, Sequence
from inspect import unwrap
from typing import Any

import torch
from torch import nn

_TOKENS = re.compile(r"(.+\.)?(positions\..+|class_token|mask_token)")
_FIRST_LAYER = re.compile(r"patch_embed\..+|positions\..+|class_token|mask_token")
_FUSED_DEVICES = frozenset({"cpu", "cuda"})

Group = dict[str, Any]
"""A parameter group of torch: params, weight_decay, lr_scale, name."""


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float,
    layer_decay: float = 1.0,
    depth: int | None = None,
    tokens_decay: bool = False,
) -> list[Group]:
    """Return the trainable parameters in one group per layer and weight decay.

    Each group has an `lr_scale`, the factor on the scheduled learning rate: `layer_decay` for each
    layer below the head, of `depth` encoder blocks. Matrices decay, vectors and biases do not; mask
    token, class tokens and learned positions only with `tokens_decay`.

    Source: BEiT's rule as in VideoMAE V1; MAE-ST, where tokens decay in pretraining.
    """
    assert depth is not None or layer_decay == 1.0, "layer_decay needs depth"
    groups: dict[tuple[int, bool], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layers_above = 0 if depth is None else depth + 1 - _layer(name, depth)
        is_matrix = parameter.ndim > 1 and not name.endswith(".bias")
        decays = tokens_decay if _TOKENS.fullmatch(name) else is_matrix
        group = groups.setdefault(
            (-layers_above, decays),
            {
                "params": [],
                "weight_decay": weight_decay if decays else 0.0,
                "lr_scale": layer_decay**layers_above,
                "name": f"{layers_above} below the head, {'decay' if decays else 'no decay'}",
            },
        )
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


_step: Callable[..., float | None] = unwrap(torch.optim.AdamW.step)


class AdamW(torch.optim.AdamW):
    """torch's AdamW without its compiler, whose import takes half as long again as that of torch.

    torch wraps the methods below, so that `torch.compile` leaves them out of what it compiles, and
    imports the compiler at the first call of any. Training compiles models, never an optimizer, so
    the functions inside the wrappers are enough; where torch has no wrappers, they are its methods.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)
    zero_grad = unwrap(torch.optim.AdamW.zero_grad)

    @torch.no_grad()  # as the wrapper of torch
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters by their gradients."""
        return _step(self, closure)


def adamw(groups: Iterable[Group], *, betas: Sequence[float], eps: float, lr: float = 0.0) -> AdamW:
    """Build AdamW over parameter groups, as one fused kernel where torch has one.

    Training sets the learning rate before every step, as schedule times `lr_scale`; `lr` is only
    the initial value.
    """
    groups = list(groups)
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return AdamW(
        groups, lr=lr, betas=(betas[0], betas[1]), eps=eps, fused=devices <= _FUSED_DEVICES
    )


def _layer(name: str, depth: int) -> int:
    """Return the layer of an encoder's parameter: 0 embeddings, 1 to `depth` blocks, then head."""
    native = name.removeprefix("encoder.")
    if _FIRST_LAYER.fullmatch(native):
        return 0
    block = re.match(r"blocks\.(\d+)\.", native)
    return int(block[1]) + 1 if block else depth + 1

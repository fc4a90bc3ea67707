"""Parameter groups (who decays, who learns slowly) and the optimizer over them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

TOKENS = re.compile(r"(.+\.)?(positions\..+|class_token|mask_token)")
FIRST_LAYER = re.compile(r"patch_embed\..+|positions\..+|class_token|mask_token")
FUSED_DEVICES = frozenset({"cpu", "cuda"})

Group = dict[str, Any]
"""One of torch's parameter groups: params, weight_decay, lr_scale, name."""


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float,
    layer_decay: float = 1.0,
    depth: int | None = None,
    tokens_decay: bool = False,
) -> list[Group]:
    """Sort the trainable parameters into one group per layer and decay.

    Each group carries `lr_scale`, the factor on the rate of the schedule.

    Args:
        model: Its parameters' names say which layer they are of.
        weight_decay: Of matrices; vectors and biases get 0.
        layer_decay: Factor on the rate per layer below the head.
        depth: Encoder blocks; without it there is one layer.
        tokens_decay: Do mask token, class tokens and learned positions decay too?

    Source: BEiT's rule, as VideoMAE V1 uses it, and MAE-ST, in whose pretraining tokens decay.
    """
    assert depth is not None or layer_decay == 1.0, "layer decay needs the number of blocks"
    groups: dict[tuple[int, bool], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layers_above = 0 if depth is None else depth + 1 - _layer(name, depth)
        decays = _decays(name, parameter, tokens_decay)
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


def adamw(
    groups: Iterable[Group], *, betas: Sequence[float], eps: float, lr: float = 0.0
) -> torch.optim.AdamW:
    """Build AdamW over these groups, as one fused kernel where torch has one.

    The rate is set before every step, as schedule times `lr_scale`; `lr` only fills torch's field.
    """
    listed = list(groups)
    devices = {parameter.device.type for group in listed for parameter in group["params"]}
    return torch.optim.AdamW(
        listed, lr=lr, betas=(betas[0], betas[1]), eps=eps, fused=devices <= FUSED_DEVICES
    )


def _layer(name: str, depth: int) -> int:
    native = name.removeprefix("encoder.")
    if FIRST_LAYER.fullmatch(native):
        return 0
    block = re.match(r"blocks\.(\d+)\.", native)
    return int(block[1]) + 1 if block else depth + 1


def _decays(name: str, parameter: Tensor, tokens_decay: bool) -> bool:
    if TOKENS.fullmatch(name):
        return tokens_decay
    return parameter.ndim > 1 and not name.endswith(".bias")

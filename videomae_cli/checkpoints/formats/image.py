"""2-D vision transformers (timm, image MAE) as a start for video: read, never written.

A picture is a clip whose tubelets are one frame deep, so a 2-D model is a native encoder with
`tubelet` 1, exactly. A recipe with deeper tubelets inflates it on the way in (`geometry.py`).

Left behind: the class token and learned positions, which native encoders have no place for, the
key bias (softmax ignores what is added to every key alike), and heads for pictures. Refused: models
that compute otherwise (register tokens, q/k norms, relative positions, gated MLPs).
"""

import math

import torch

from videomae_cli.checkpoints.format import (
    Config,
    Format,
    Table,
    Weights,
    axis,
    encoder_tables,
    tail,
)
from videomae_cli.checkpoints.formats.original import stack_rules
from videomae_cli.checkpoints.infer_config import NOTHING, Hints, Told
from videomae_cli.checkpoints.keymap import Drop, Operation, Rule, Tensors

TAIL = {"norm": "norm", "fc_norm": "fc_norm", "head": "head"}
KEY_BIAS = "added to every key alike, which softmax ignores: exact"


def _deepen(tensors: Tensors) -> Tensors:
    return tuple(tensor.unsqueeze(2) for tensor in tensors)


def _flatten(tensors: Tensors) -> Tensors:
    return tuple(tensor.squeeze(2) for tensor in tensors)


def _without_key(tensors: Tensors) -> Tensors:
    query, _, value = tensors[0].chunk(3)
    return query, value


def _with_zero_key(tensors: Tensors) -> Tensors:
    query, value = tensors
    return (torch.cat((query, torch.zeros_like(query), value)),)


def _fold(tensors: Tensors) -> Tensors:
    """Put a layer's scale into the rows of the linear map before it: the same function."""
    weight, bias, scale = tensors
    return weight * scale[:, None], bias * scale


def _unfold(tensors: Tensors) -> Tensors:
    weight, bias = tensors
    return weight, bias, torch.ones_like(bias)


def _rules(*, scaled: bool) -> tuple[Rule, ...]:
    at, here = "encoder.blocks.{i}.", "blocks.{i}."
    fused = f"{here}attn.qkv.bias"
    own = [
        Rule(("encoder.patch_embed.proj.weight",), ("patch_embed.proj.weight",), DEEPEN),
        Rule(("encoder.patch_embed.proj.bias",), ("patch_embed.proj.bias",)),
        Rule(
            (f"{at}attn.q_bias", f"{at}attn.v_bias"),
            (fused,),
            Operation(_without_key, _with_zero_key),
            left=((f"{fused} (the middle third)", KEY_BIAS),),
        ),
    ]
    if scaled:
        for layer, scale in (("attn.proj", "ls1"), ("mlp.fc2", "ls2")):
            parts = (f"{layer}.weight", f"{layer}.bias")
            own.append(
                Rule(
                    tuple(f"{at}{part}" for part in parts),
                    (*(f"{here}{part}" for part in parts), f"{here}{scale}.gamma"),
                    Operation(_fold, _unfold),
                )
            )
    taken = {name for rule in own for name in rule.native}
    return (*own, *(r for r in stack_rules("encoder.", "") if r.native[0] not in taken))


def recognise(weights: Weights, _config: Config) -> str | None:
    """Tell which 2-D model has tensors of these names; None for none."""
    embed = weights.get("patch_embed.proj.weight")
    if embed is None or embed.ndim != 4 or "blocks.0.attn.qkv.weight" not in weights:
        return None
    headless = {name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
    scaled = "scaled " if "blocks.0.ls1.gamma" in weights else ""
    return scaled + tail(headless, **TAIL)


def tell(_table: Table, weights: Weights, _config: Config) -> Told:
    """Read the size of a picture off its positions, with or without the class token's."""
    rows = axis(weights, "pos_embed", 1) - int("cls_token" in weights)
    side = math.isqrt(max(rows, 0))
    size = side * axis(weights, "patch_embed.proj.weight", 3)
    return Told(Hints(size=size)) if size and side**2 == rows else NOTHING


DEEPEN = Operation(_deepen, _flatten)
_PICTURES = "for the classes of a picture"
_MAE = "the decoder of an image autoencoder"
_DROPS = (
    Drop("cls_token", "the native encoder has no class token"),
    Drop("pos_embed", "learned positions of a picture; the native encoder computes its own"),
    Drop("head.*", _PICTURES),
    Drop("head_dist.*", _PICTURES),
    Drop("decoder_*", _MAE),
    Drop("mask_token", _MAE),
)
_PLAIN = encoder_tables(_rules(scaled=False), drops=_DROPS, **TAIL)
_SCALED = encoder_tables(_rules(scaled=True), drops=_DROPS, **TAIL)

IMAGE = Format(
    title="2-D ViT (timm, image MAE)",
    recognise=recognise,
    tables=_PLAIN | {f"scaled {name}": table for name, table in _SCALED.items()},
    write=None,
    tell=tell,
    license="unknown; see where the file comes from (image MAE's weights are CC-BY-NC-4.0)",
)

"""2-D vision transformers (timm, image MAE) to initialise video models; read only.

An image is a clip whose tubelets have one frame, so a 2-D model is exactly a native encoder with
`tubelet` 1. For a recipe with deeper tubelets, `transfer.py` inflates the embedding.

Dropped: the class token and learned positions, which this native encoder does not have, the key
bias (softmax ignores a value added to all keys), and heads for images. Refused: models with other
functions (register tokens, q/k norms, relative positions, gated MLPs).
"""

import math

import torch

from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    axis_length,
    find_encoder_table,
    make_encoder_tables,
)
from videomae_cli.checkpoints.formats.videomae_v1 import HEAD_NAMES, map_blocks
from videomae_cli.checkpoints.hints import NO_SIDE_INFO, Hints, SideInfo
from videomae_cli.checkpoints.keymap import JOIN, Drop, Operation, Rule, Tensors, Weights

KEY_BIAS = "added to all keys alike, which softmax ignores: exact"


def _drop_key_bias(tensors: Tensors) -> Tensors:
    query, _, value = tensors
    return query, value


def _add_zero_key_bias(tensors: Tensors) -> Tensors:
    query, value = tensors
    return query, torch.zeros_like(query), value


def _fold_scale(tensors: Tensors) -> Tensors:
    """Multiply the rows of a linear layer by the LayerScale that follows it: the same function."""
    weight, bias, scale = tensors
    return weight * scale[:, None], bias * scale


def _add_unit_scale(tensors: Tensors) -> Tensors:
    weight, bias = tensors
    return weight, bias, torch.ones_like(bias)


ADD_DEPTH = Operation(
    lambda flat: tuple(tensor.unsqueeze(2) for tensor in flat),
    lambda deep: tuple(tensor.squeeze(2) for tensor in deep),
)
DROP_KEY_BIAS = Operation(_drop_key_bias, _add_zero_key_bias)
SPLIT_WITHOUT_KEY = Operation(
    lambda fused: _drop_key_bias(JOIN.from_native(fused)),
    lambda parts: JOIN.to_native(_add_zero_key_bias(parts)),
)
FOLD_SCALE = Operation(_fold_scale, _add_unit_scale)


def _map_encoder(*, has_scale: bool) -> tuple[Rule, ...]:
    native, other = "encoder.blocks.{i}.", "blocks.{i}."
    qkv_bias = f"{other}attn.qkv.bias"
    special = [
        Rule(("encoder.patch_embed.proj.weight",), ("patch_embed.proj.weight",), ADD_DEPTH),
        Rule(("encoder.patch_embed.proj.bias",), ("patch_embed.proj.bias",)),
        Rule(
            (f"{native}attn.q_bias", f"{native}attn.v_bias"),
            (qkv_bias,),
            SPLIT_WITHOUT_KEY,
            drops=((f"{qkv_bias} (the middle third)", KEY_BIAS),),
        ),
    ]
    if has_scale:
        for layer, scale in (("attn.proj", "ls1"), ("mlp.fc2", "ls2")):
            parts = (f"{layer}.weight", f"{layer}.bias")
            special.append(
                Rule(
                    tuple(f"{native}{part}" for part in parts),
                    (*(f"{other}{part}" for part in parts), f"{other}{scale}.gamma"),
                    FOLD_SCALE,
                )
            )
    names = {name for rule in special for name in rule.native}
    return (*special, *(r for r in map_blocks("encoder.", "") if r.native[0] not in names))


def recognise(weights: Weights, _json: FolderJson) -> str | None:
    """Return the table that fits the names of a 2-D model; None for another format."""
    embed = weights.get("patch_embed.proj.weight")
    if embed is None or embed.ndim != 4 or "blocks.0.attn.qkv.weight" not in weights:
        return None
    headless = {name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
    kind = "scaled " if "blocks.0.ls1.gamma" in weights else ""
    return kind + find_encoder_table(headless, **HEAD_NAMES)


def read_side_info(_table: KeyTable, weights: Weights, _json: FolderJson) -> SideInfo:
    """Compute the size of an image from its positions, with or without the class token's."""
    rows = axis_length(weights, "pos_embed", 1) - int("cls_token" in weights)
    side = math.isqrt(max(rows, 0))
    size = side * axis_length(weights, "patch_embed.proj.weight", 3)
    return SideInfo(Hints(size=size)) if size and side**2 == rows else NO_SIDE_INFO


_IMAGE_HEAD = "a head for image classes"
_DECODER = "the decoder of an image autoencoder"
_DROPS = (
    Drop("cls_token", "the native encoder has no class token"),
    Drop("pos_embed", "learned positions of an image; the native encoder computes its own"),
    Drop("head.*", _IMAGE_HEAD),
    Drop("head_dist.*", _IMAGE_HEAD),
    Drop("decoder_*", _DECODER),
    Drop("mask_token", _DECODER),
)
_PLAIN = make_encoder_tables(_map_encoder(has_scale=False), drops=_DROPS, **HEAD_NAMES)
_SCALED = make_encoder_tables(_map_encoder(has_scale=True), drops=_DROPS, **HEAD_NAMES)

IMAGE = Format(
    title="2-D ViT (timm, image MAE)",
    recognise=recognise,
    tables=_PLAIN | {f"scaled {name}": table for name, table in _SCALED.items()},
    write=None,
    read_side_info=read_side_info,
    license="unknown; see where the file comes from (image MAE's weights are CC-BY-NC-4.0)",
)

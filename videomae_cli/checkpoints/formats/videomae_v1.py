"""VideoMAE V1, V2 and VideoMS/EVEREST: `.pth` files of the training scripts, with the same names.

Native autoencoders have the same names; native classifiers have the encoder under `encoder.`.
Source of the names: the keys of the published files. Refused, because they are other functions:
learned positions (`pos_embed`), LayerScale (`gamma_1`), cosine attention (`attn.scale`).
"""

from pathlib import Path

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    axis_length,
    find_encoder_table,
    has_part,
    make_encoder_tables,
    map_affine,
)
from videomae_cli.checkpoints.formats.position_tables import find_difference_from_sine
from videomae_cli.checkpoints.keymap import Drop, Rule, Weights, map_names
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.config.model_config import ModelConfig

AVA_CLASSES = 80  # actions of AVA; heads of this size classify boxes, not clips
HEAD_NAMES = {"norm": "norm", "fc_norm": "fc_norm", "head": "head"}
FIXED_POSITIONS = "fixed position embeddings; they are computed"
DETECTOR_HEAD = "the head of an AVA detector, which classifies a person's box and not the clip"
_BLOCK = (
    *(f"norm{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
    *("attn.q_bias", "attn.v_bias", "attn.qkv.weight", "attn.proj.weight", "attn.proj.bias"),
    *(f"mlp.fc{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
)


def map_blocks(native: str, other: str, renamed: tuple[tuple[str, str], ...] = ()) -> list[Rule]:
    """Return the rules of transformer blocks whose names differ in few parts.

    `native` and `other` are the prefixes of `blocks.`, `renamed` the parts with another name.
    """
    pairs = {}
    for name in _BLOCK:
        other_name = name
        for native_part, other_part in renamed:
            other_name = other_name.replace(native_part, other_part)
        pairs[f"{native}blocks.{{i}}.{name}"] = f"{other}blocks.{{i}}.{other_name}"
    return list(map_names(pairs))


def map_encoder(prefix: str = "") -> tuple[Rule, ...]:
    """Return the rules of V1's encoder under a prefix."""
    embed = map_affine("encoder.patch_embed.proj", f"{prefix}patch_embed.proj")
    return (*embed, *map_blocks("encoder.", prefix))


def recognise(weights: Weights, _json: FolderJson) -> str | None:
    """Return the table of V1 that fits these names; None for another format."""
    if "encoder.patch_embed.proj.weight" in weights:
        return "autoencoder" if has_part(weights, "decoder") else None
    embed = weights.get("patch_embed.proj.weight")
    if embed is None or embed.ndim != 5 or "blocks.0.attn.q.weight" in weights:
        return None
    if "blocks.0.attn.qkv.bias" in weights or "pos_embed_spatial" in weights:
        return None
    classes = axis_length(weights, "head.weight", 0)
    if classes in (AVA_CLASSES, AVA_CLASSES + 1) and "norm.weight" in weights:
        return "detector"
    return find_encoder_table(weights, **HEAD_NAMES)


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write weights under `model`; the model configuration under a key that V1 ignores."""
    write_torch(path, {"model": dict(weights), MODEL_CONFIG_KEY: config.to_json()})


_DROPS = (Drop("pos_embed", FIXED_POSITIONS, find_difference_from_sine),)
_DETECTOR_DROPS = tuple(Drop(f"head.{part}", DETECTOR_HEAD) for part in ("weight", "bias"))
_ENCODER = map_encoder()
_AUTOENCODER = (
    *(Rule(rule.native, rule.native) for rule in _ENCODER),
    *map_affine("encoder.norm", "encoder.norm"),
    *map_names({name: name for name in ("encoder_to_decoder.weight", "mask_token")}),
    *map_blocks("decoder.", "decoder."),
    *map_affine("decoder.norm", "decoder.norm"),
    *map_affine("decoder.head", "decoder.head"),
)
_TABLES = make_encoder_tables(_ENCODER, drops=_DROPS, **HEAD_NAMES)

V1 = Format(
    title="VideoMAE V1 .pth",
    recognise=recognise,
    tables={
        "autoencoder": KeyTable("autoencoder", _AUTOENCODER),
        **_TABLES,
        "detector": _TABLES["latents"]._replace(drops=(*_DROPS, *_DETECTOR_DROPS)),
    },
    write=write,
    license="unknown; the published VideoMAE V1 weights are CC-BY-NC-4.0 (non-commercial)",
    warning=(
        "the published VideoMAE V1 weights are licensed CC BY-NC 4.0: neither they nor models"
        " trained from them may be used commercially; the file does not state whether it is one of"
        " them"
    ),
    assumed=(
        "all tokens are used: files of VideoMS/EVEREST have the same names, but these models select"
        " tokens by motion (set `select` and `mask` in the recipe)",
    ),
)

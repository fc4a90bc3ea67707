"""VideoMAE V1, V2 and VideoMS/EVEREST: the training scripts' `.pth` files, which look the same.

Native autoencoders carry the same names; native classifiers keep the encoder under `encoder.`.
Facts about names: the files' own keys. Refused, because they are other functions: learned positions
(`pos_embed`), LayerScale (`gamma_1`), cosine attention (`attn.scale`).
"""

from pathlib import Path

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.format import (
    Config,
    Format,
    Table,
    Weights,
    affine,
    axis,
    encoder_tables,
    tail,
)
from videomae_cli.checkpoints.formats.position_tables import not_sine
from videomae_cli.checkpoints.keymap import Drop, Rule, rename
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.config.model_config import ModelConfig

AVA_CLASSES = 80  # actions of AVA; heads of this size read boxes, not clips
TAIL = {"norm": "norm", "fc_norm": "fc_norm", "head": "head"}
SINE = "fixed positions; they are computed"
DETECTOR_HEAD = "an AVA detector's head, which reads a person's box and not the clip"
_STACK = (
    *(f"norm{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
    *("attn.q_bias", "attn.v_bias", "attn.qkv.weight", "attn.proj.weight", "attn.proj.bias"),
    *(f"mlp.fc{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
)


def stack_rules(native: str, other: str, renamed: tuple[tuple[str, str], ...] = ()) -> list[Rule]:
    """Return the rules of a stack of blocks whose names differ in few places.

    Args:
        native: What comes before `blocks.` in native names.
        other: The same in the format.
        renamed: What a block calls otherwise: native part and the format's.
    """
    pairs = {}
    for name in _STACK:
        theirs = name
        for ours, called in renamed:
            theirs = theirs.replace(ours, called)
        pairs[f"{native}blocks.{{i}}.{name}"] = f"{other}blocks.{{i}}.{theirs}"
    return list(rename(pairs))


def encoder_rules(prefix: str = "") -> tuple[Rule, ...]:
    """Return the rules of V1's encoder behind a prefix."""
    embed = affine("encoder.patch_embed.proj", f"{prefix}patch_embed.proj")
    return (*embed, *stack_rules("encoder.", prefix))


def is_detector(weights: Weights, *, norm: str, head: str) -> bool:
    """Tell whether a head is an AVA detector's: 80 actions, or 81 with none, and no pooling."""
    return (
        axis(weights, f"{head}.weight", 0) in (AVA_CLASSES, AVA_CLASSES + 1)
        and f"{norm}.weight" in weights
    )


def recognise(weights: Weights, _config: Config) -> str | None:
    """Tell which V1 model has tensors of these names; None for none."""
    if "encoder.patch_embed.proj.weight" in weights:
        return "autoencoder" if any(name.startswith("decoder.") for name in weights) else None
    embed = weights.get("patch_embed.proj.weight")
    if embed is None or embed.ndim != 5 or "blocks.0.attn.q.weight" in weights:
        return None
    if any(name in weights for name in ("blocks.0.attn.qkv.bias", "pos_embed_spatial")):
        return None
    return "detector" if is_detector(weights, norm="norm", head="head") else tail(weights, **TAIL)


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write weights under `model`, and our card beside them, where V1 does not look."""
    write_torch(path, {"model": dict(weights), MODEL_CONFIG_KEY: config.model_dump_json()})


_DROPS = (Drop("pos_embed", SINE, not_sine),)
_ENCODER = encoder_rules()
_AUTOENCODER = (
    *(Rule(rule.native, rule.native) for rule in _ENCODER),
    *affine("encoder.norm", "encoder.norm"),
    *rename({"encoder_to_decoder.weight": "encoder_to_decoder.weight", "mask_token": "mask_token"}),
    *stack_rules("decoder.", "decoder."),
    *affine("decoder.norm", "decoder.norm"),
    *affine("decoder.head", "decoder.head"),
)
_TABLES = encoder_tables(_ENCODER, drops=_DROPS, **TAIL)

V1 = Format(
    title="VideoMAE V1 .pth",
    recognise=recognise,
    tables={
        "autoencoder": Table("autoencoder", _AUTOENCODER),
        **_TABLES,
        "detector": _TABLES["latents"]._replace(
            drops=(*_DROPS, Drop("head.weight", DETECTOR_HEAD), Drop("head.bias", DETECTOR_HEAD))
        ),
    },
    write=write,
    license="unknown; the published VideoMAE V1 weights are CC-BY-NC-4.0 (non-commercial)",
    warning=(
        "the VideoMAE V1 weights published by its authors are CC BY-NC 4.0: not for commercial use,"
        " and neither is what is trained from them; this file does not say whether it is one"
    ),
    unsaid=(
        "every token is seen: files of VideoMS/EVEREST look the same, and those models choose"
        " tokens by motion (`select` and `mask` of a recipe say how)",
    ),
)

"""MAE-ST in both dialects: the repository's (`model`), read and written, and PySlowFast's, read.

Class token, learned positions apart for space and time, a bias for keys too. The published files
are PySlowFast's. Of those the encoder is taken: their decoder has one joint table of positions and
is handed the encoder's class token, and neither has a place in the native decoder, whose positions
are apart and whose class token is its own. Queries, keys and values may be apart or fused.
"""

import math
from pathlib import Path

import torch

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.format import Config, Format, Table, Weights, affine, axis, holds
from videomae_cli.checkpoints.formats.original import stack_rules
from videomae_cli.checkpoints.infer_config import Hints, Told
from videomae_cli.checkpoints.keymap import Drop, Operation, Rule, rename
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig

MEAN, STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
DECODER_HEADS = {512: 16}  # the repository's default
JOIN = Operation(
    to_native=lambda parts: (torch.cat(parts),), from_native=lambda whole: whole[0].chunk(3)
)
CUT = Operation(to_native=JOIN.from_native, from_native=JOIN.to_native)
NEEDS = {"encoder.positions": "separable", "encoder.class_token": True, "encoder.biases": "all"}
_PLACES = (("space", "spatial"), ("time", "temporal"), ("token", "class"))


def _stack(native: str, other: str) -> list[Rule]:
    """Return the rules of blocks; `other` ends in what stands before a block's number."""
    at, here = f"{native}blocks.{{i}}.", f"{other}{{i}}."
    apart, fused = (f"{here}attn.{part}.weight" for part in "qkv"), f"{here}attn.qkv"
    biases = tuple(f"{at}attn.{part}_bias" for part in "qkv")
    own = [
        Rule((f"{at}attn.qkv.weight",), tuple(apart), JOIN),
        *(Rule((f"{at}attn.{part}_bias",), (f"{here}attn.{part}.bias",)) for part in "qkv"),
        Rule((f"{at}attn.qkv.weight",), (f"{fused}.weight",)),
        Rule(biases, (f"{fused}.bias",), CUT),
    ]
    taken = {name for rule in own for name in rule.native}
    plain = [rule for rule in stack_rules(native, "") if rule.native[0] not in taken]
    return [
        *own,
        *(Rule(r.native, (r.other[0].replace("blocks.{i}.", here),)) for r in plain),
    ]


def _tokens(native: str, token: str, table: str) -> tuple[Rule, ...]:
    names = {f"{native}positions.{ours}": f"{table}_{theirs}" for ours, theirs in _PLACES}
    return rename({f"{native}class_token": token, **names})


_ENCODER = (
    *affine("encoder.patch_embed.proj", "patch_embed.proj"),
    *_stack("encoder.", "blocks."),
    *_tokens("encoder.", "cls_token", "pos_embed"),
)
_DECODER = (
    *affine("encoder.norm", "norm"),
    *affine("encoder_to_decoder", "decoder_embed"),
    *rename({"mask_token": "mask_token"}),
    *_tokens("decoder.", "decoder_cls_token", "decoder_pos_embed"),
    *_stack("decoder.", "decoder_blocks."),
    *affine("decoder.norm", "decoder_norm"),
    *affine("decoder.head", "decoder_pred"),
)
_OTHER_DECODER = "PySlowFast's decoder, which has joint positions and the encoder's class token"
_PARTS = ("decoder_embed.*", "decoder_pos_embed*", "dec_pos_embed*", "mask_token", "pred_head.*")
_LEFT = tuple(Drop(name, _OTHER_DECODER) for name in _PARTS)
_CLASSIFIER = (*_ENCODER, *affine("fc_norm", "norm"))
_LATENTS = (*_ENCODER, *affine("encoder.norm", "norm"))


def recognise(weights: Weights, _config: Config) -> str | None:
    """Tell which MAE-ST model has tensors of these names; None for none."""
    if "pos_embed_spatial" not in weights:
        return None
    if holds(weights, "decoder_pred"):
        return "autoencoder"
    if holds(weights, "head.projection"):
        return "slowfast classifier"
    return "classifier" if holds(weights, "head") else "latents"


def tell(table: Table, weights: Weights, _config: Config) -> Told:
    """Read the clip off the learned positions; the rest is what MAE-ST always does."""
    tubelet, patch = (axis(weights, "patch_embed.proj.weight", n) for n in (2, 3))
    side, slices = (axis(weights, f"pos_embed_{name}", 1) for name in ("spatial", "temporal"))
    numbers = Hints(frames=slices * tubelet or None, size=math.isqrt(side) * patch or None)
    config: dict[str, object] = {"mean": MEAN, "std": STD}
    assumed = ["pixels normalised by 0.45 and 0.225: MAE-ST's, not in the file"]
    if table.kind == "autoencoder":
        heads = DECODER_HEADS.get(axis(weights, "mask_token", 2))
        numbers = numbers._replace(decoder_heads=heads)
        config |= {"normalize": "joint", "target_frames": "linspace"}
        config["mask"] = MaskSpec(strategy="random", ratio=0.9)
        assumed.append("random mask, targets normalised per token, one frame of two: MAE-ST's")
    return Told(numbers, config, tuple(assumed))


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write weights under `model`, and our card beside them."""
    write_torch(path, {"model": dict(weights), MODEL_CONFIG_KEY: config.model_dump_json()})


MAE_ST = Format(
    title="MAE-ST .pth",
    recognise=recognise,
    tables={
        "autoencoder": Table("autoencoder", (*_ENCODER, *_DECODER), needs=NEEDS),
        "classifier": Table("classifier", (*_CLASSIFIER, *affine("head", "head")), needs=NEEDS),
        "latents": Table("encoder", _LATENTS, _LEFT, {"norm_of": "tokens"}, NEEDS),
        "slowfast classifier": Table(
            "classifier", (*_CLASSIFIER, *affine("head", "head.projection")), needs=NEEDS
        ),
    },
    write=write,
    license="unknown; the published MAE-ST weights are CC-BY-NC-4.0 (non-commercial)",
    warning=(
        "the MAE-ST weights published by its authors are CC BY-NC 4.0: not for commercial use, and"
        " neither is what is trained from them; this file does not say whether it is one"
    ),
    tell=tell,
)

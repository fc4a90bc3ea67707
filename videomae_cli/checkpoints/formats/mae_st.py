"""MAE-ST with two sets of names: the repository's (`model`), read and written; PySlowFast's, read.

MAE-ST has a class token, separate learned positions for space and time, and a key bias. The
published files have PySlowFast's names. Only the encoder of those is read: their decoder has one
joint table of positions and uses the encoder's class token, whereas the native decoder has separate
positions and a class token of its own. Queries, keys and values may be separate or fused.
"""

import math

from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    axis_length,
    has_part,
    map_affine,
)
from videomae_cli.checkpoints.formats.videomae_v1 import map_blocks, write
from videomae_cli.checkpoints.hints import Hints, SideInfo
from videomae_cli.checkpoints.keymap import JOIN, Drop, Operation, Rule, Weights, map_names
from videomae_cli.config.model import MaskSpec

MEAN, STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
DECODER_HEADS = {512: 16}  # embedding dimension to heads: the repository's default
SPLIT = Operation(to_native=JOIN.from_native, from_native=JOIN.to_native)
REQUIRES = {"encoder.positions": "separable", "encoder.class_token": True, "encoder.biases": "all"}
_POSITIONS = (("space", "spatial"), ("time", "temporal"), ("token", "class"))


def _map_blocks(native: str, other: str) -> list[Rule]:
    """Return the rules of transformer blocks; `other` ends before the number of a block."""
    native_block, other_block = f"{native}blocks.{{i}}.", f"{other}{{i}}."
    fused = f"{other_block}attn.qkv"
    biases = tuple(f"{native_block}attn.{part}_bias" for part in "qkv")
    separate = tuple(f"{other_block}attn.{part}" for part in "qkv")
    weight = (f"{native_block}attn.qkv.weight",)
    special = [
        Rule(weight, tuple(f"{name}.weight" for name in separate), JOIN),
        *(Rule((b,), (f"{name}.bias",)) for b, name in zip(biases, separate, strict=True)),
        Rule(weight, (f"{fused}.weight",)),
        Rule(biases, (f"{fused}.bias",), SPLIT),
    ]
    names = {name for rule in special for name in rule.native}
    plain = [rule for rule in map_blocks(native, "") if rule.native[0] not in names]
    return [
        *special,
        *(Rule(r.native, (r.other[0].replace("blocks.{i}.", other_block),)) for r in plain),
    ]


def _map_positions(native: str, token: str, table: str) -> tuple[Rule, ...]:
    names = {f"{native}positions.{part}": f"{table}_{other}" for part, other in _POSITIONS}
    return map_names({f"{native}class_token": token, **names})


_ENCODER = (
    *map_affine("encoder.patch_embed.proj", "patch_embed.proj"),
    *_map_blocks("encoder.", "blocks."),
    *_map_positions("encoder.", "cls_token", "pos_embed"),
)
_DECODER = (
    *map_affine("encoder.norm", "norm"),
    *map_affine("encoder_to_decoder", "decoder_embed"),
    *map_names({"mask_token": "mask_token"}),
    *_map_positions("decoder.", "decoder_cls_token", "decoder_pos_embed"),
    *_map_blocks("decoder.", "decoder_blocks."),
    *map_affine("decoder.norm", "decoder_norm"),
    *map_affine("decoder.head", "decoder_pred"),
)
_SLOWFAST_DECODER = "PySlowFast's decoder, which has joint positions and the encoder's class token"
_PATTERNS = ("decoder_embed.*", "decoder_pos_embed*", "dec_pos_embed*", "mask_token", "pred_head.*")
_DROPS = tuple(Drop(pattern, _SLOWFAST_DECODER) for pattern in _PATTERNS)
_CLASSIFIER = (*_ENCODER, *map_affine("fc_norm", "norm"))
_LATENTS = (*_ENCODER, *map_affine("encoder.norm", "norm"))


def recognise(weights: Weights, _json: FolderJson) -> str | None:
    """Return the table of MAE-ST that fits these names; None for another format."""
    if "pos_embed_spatial" not in weights:
        return None
    if has_part(weights, "decoder_pred"):
        return "autoencoder"
    if has_part(weights, "head.projection"):
        return "slowfast classifier"
    return "classifier" if has_part(weights, "head") else "latents"


def read_side_info(table: KeyTable, weights: Weights, _json: FolderJson) -> SideInfo:
    """Compute the clip geometry from the learned positions; all other values are MAE-ST's."""
    tubelet, patch = (axis_length(weights, "patch_embed.proj.weight", axis) for axis in (2, 3))
    tokens_per_slice = axis_length(weights, "pos_embed_spatial", 1)
    slices = axis_length(weights, "pos_embed_temporal", 1)
    side = math.isqrt(tokens_per_slice)
    hints = Hints(frames=slices * tubelet or None, size=side * patch or None)
    fields: dict[str, object] = {"mean": MEAN, "std": STD}
    assumed = ["pixels normalised by mean 0.45 and std 0.225, as in MAE-ST; not stored in the file"]
    if table.kind == "autoencoder":
        heads = DECODER_HEADS.get(axis_length(weights, "mask_token", 2))
        hints = hints._replace(decoder_heads=heads)
        fields |= {"normalize": "joint", "target_frames": "linspace"}
        fields["mask"] = MaskSpec(strategy="random", ratio=0.9)
        assumed.append(
            "random mask, targets normalised per token, one frame of two predicted, as in MAE-ST"
        )
    return SideInfo(hints, fields, tuple(assumed))


MAE_ST = Format(
    title="MAE-ST .pth",
    recognise=recognise,
    tables={
        "autoencoder": KeyTable("autoencoder", (*_ENCODER, *_DECODER), requires=REQUIRES),
        "classifier": KeyTable(
            "classifier", (*_CLASSIFIER, *map_affine("head", "head")), requires=REQUIRES
        ),
        "latents": KeyTable("encoder", _LATENTS, _DROPS, {"norm_of": "tokens"}, REQUIRES),
        "slowfast classifier": KeyTable(
            "classifier", (*_CLASSIFIER, *map_affine("head", "head.projection")), requires=REQUIRES
        ),
    },
    write=write,
    license="unknown; the published MAE-ST weights are CC-BY-NC-4.0 (non-commercial)",
    warning=(
        "the published MAE-ST weights are licensed CC BY-NC 4.0: neither they nor models trained"
        " from them may be used commercially; the file does not state whether it is one of them"
    ),
    read_side_info=read_side_info,
)

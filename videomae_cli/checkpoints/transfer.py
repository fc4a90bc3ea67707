"""Adapt pretrained weights to a classifier and its classes, and to another clip geometry.

Which tensors are used: VideoMAE's fine-tuning drops the last norm of the pretrained encoder and
normalises after pooling with a new norm (weight 1, bias 0); MAE-ST moves the pretrained norm there.
Learned position embeddings are interpolated for another grid, linearly in time and bicubically in
space, as in PySlowFast; fixed ones are computed, not stored.

Every change of the tubelet depth keeps the embedding of a clip of identical frames. Changes of the
channels are in `channel_transfer.py`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor

from videomae_cli.checkpoints.class_names import match_classes
from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.checkpoints.load_report import LoadReport, Shapes, match_tensors
from videomae_cli.config.model import Norm
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid

LAST_NORM = "encoder.norm."
DROPPED = {
    f"{LAST_NORM}*": "the classifier has a norm after pooling instead",
    "encoder_to_decoder.*": "part of the decoder",
    "mask_token": "part of the decoder",
    "decoder.*": "part of the decoder",
}
INITIALISED = ("fc_norm.*", "head.*", "pooler.*", f"{LAST_NORM}*")  # those that the model has
HEAD_PARTS = ("head.", "fc_norm.", "pooler.")
PATCH_EMBED = "encoder.patch_embed.proj.weight"
DECODER = ("encoder_to_decoder.*", "mask_token", "decoder.*")
DECODER_HEAD = ("decoder.head.weight", "decoder.head.bias")
POOLED_NORM = "the norm after pooling; an autoencoder has a norm before pooling"


def encoder_weights_for_classifier(
    weights: Weights, expected: Shapes, *, norm: Norm = "fresh"
) -> tuple[dict[str, Tensor], LoadReport]:
    """Select the weights that a classifier uses from an autoencoder or from another classifier.

    The norm of another classifier is kept; its head too if the number of classes is the same. The
    last norm of an autoencoder moves after the pooling if `norm` is `pretrained`, else is dropped.

    Raises:
        CheckpointError: The encoders differ; the tensors are named.
    """
    heads = [name for name in weights if name.startswith("head.")]
    head_fits = all(tuple(weights[name].shape) == tuple(expected[name]) for name in heads)
    norms = [name for name in weights if name.startswith(LAST_NORM) and norm == "pretrained"]
    moved = {name: name.replace(LAST_NORM, "fc_norm.") for name in norms}
    candidates = {
        moved.get(name, name): tensor
        for name, tensor in weights.items()
        if head_fits or name not in heads
    }
    matched, report = match_tensors(
        candidates, expected, allow_initialised=INITIALISED, allow_dropped=DROPPED
    )
    if not head_fits:
        reasons = dict.fromkeys(heads, "a head for another number of classes")
        report = report._replace(dropped=report.dropped | reasons)
    return matched, report._replace(moved=moved)


def drop_other_head(
    weights: Weights, source: ModelConfig, config: ModelConfig
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Leave out the head of a classifier if the model computes the input of its head differently.

    The mean and the first token count as the same: a norm follows both.

    Returns:
        All weights that can be used, and the names of the others, each with the reason.
    """
    is_same = (source.pooler_heads, source.norm_of) == (config.pooler_heads, config.norm_of)
    if source.kind != "classifier" or is_same:
        return dict(weights), {}
    reason = f"the head of another pooling ({source.describe_pooling()})"
    dropped = {name: reason for name in weights if name.startswith(HEAD_PARTS)}
    return {name: tensor for name, tensor in weights.items() if name not in dropped}, dropped


def match_head(
    weights: Weights, known: Sequence[str], classes: Sequence[str]
) -> tuple[dict[str, Tensor], tuple[str, ...], dict[str, str]]:
    """Bring the rows of a head for `known` classes into the order of as many other `classes`.

    A head for other classes is left out. One for another number of them is returned as it is.

    Returns:
        All weights that can be used, a sentence if rows were matched in another way than one by
        one, and the names that are left out, with the reason.
    """
    heads = [name for name in weights if name.startswith("head.")]
    if not heads or len(known) != len(classes):
        return dict(weights), (), {}
    match = match_classes(classes, known)
    if match is None:
        others = {name: tensor for name, tensor in weights.items() if name not in heads}
        return others, (), dict.fromkeys(heads, "a head for other classes")
    if match.keeps_order:
        return dict(weights), (match.note,) if match.is_assumed else (), {}
    rows = {name: weights[name][list(match.places)] for name in heads}
    return {**weights, **rows}, (f"rows of the head: {match.note}",), {}


def weights_for_autoencoder(
    weights: Weights, expected: Shapes
) -> tuple[dict[str, Tensor], LoadReport]:
    """Select the weights that an autoencoder uses from a model with or without a decoder.

    A decoder that the source lacks keeps its initial values, as does the last layer of one that
    predicts other pixels per token, and the norm of the encoder of a classifier.

    Raises:
        CheckpointError: The models differ; the tensors are named.
    """
    has_decoder = any(name.startswith("decoder.") for name in weights)
    other_heads = [
        name
        for name in DECODER_HEAD
        if name in weights and tuple(weights[name].shape) != tuple(expected[name])
    ]
    candidates = {name: tensor for name, tensor in weights.items() if name not in other_heads}
    matched, report = match_tensors(
        candidates,
        expected,
        allow_initialised=(f"{LAST_NORM}*", *(other_heads if has_decoder else DECODER)),
        allow_dropped={
            "fc_norm.*": POOLED_NORM,
            "head.*": "a head for classes",
            "pooler.*": "a head for classes",
        },
    )
    reasons = dict.fromkeys(other_heads, "predicts another number of pixels per token")
    return matched, report._replace(dropped=report.dropped | reasons)


def fit_geometry(
    weights: Weights, old: TokenGrid, new: TokenGrid, *, parts: Sequence[str] = ("encoder",)
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Adapt native weights to another clip geometry; the positions of `parts` are interpolated.

    Returns:
        All weights, and the names of the adapted ones, each with a description of the change.

    Raises:
        CheckpointError: Neither tubelet depth divides the other, or patch sizes differ.
    """
    fitted, changes = dict(weights), dict[str, str]()
    for part in parts:
        fitted, interpolated = interpolate_positions(fitted, old, new, part)
        changes |= dict.fromkeys(interpolated, "positions interpolated")
    if PATCH_EMBED in weights:
        fitted[PATCH_EMBED], change = fit_patch_embed(weights[PATCH_EMBED], new)
        if change:
            changes[PATCH_EMBED] = change
    return fitted, changes


def interpolate_positions(
    weights: Weights, old: TokenGrid, new: TokenGrid, part: str = "encoder"
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Interpolate the learned position embeddings of a part, if it has any, for another grid.

    Returns:
        All weights, and the names of the interpolated ones.
    """
    space, time = f"{part}.positions.space", f"{part}.positions.time"
    interpolated: dict[str, Tensor] = {}
    if time in weights and old.t != new.t:
        time_1Dt = weights[time].transpose(1, 2)
        time_1Dt = F.interpolate(time_1Dt, new.t, mode="linear", align_corners=False)
        interpolated[time] = time_1Dt.transpose(1, 2).contiguous()
    if space in weights and (old.h, old.w) != (new.h, new.w):
        space_1Dhw = weights[space].transpose(1, 2).reshape(1, -1, old.h, old.w)
        space_1Dhw = F.interpolate(space_1Dhw, (new.h, new.w), mode="bicubic", align_corners=False)
        interpolated[space] = space_1Dhw.flatten(2).transpose(1, 2).contiguous()
    return {**weights, **interpolated}, tuple(interpolated)


def fit_patch_embed(weight_DCtpp: Tensor, grid: TokenGrid) -> tuple[Tensor, str]:
    """Inflate or collapse the tubelet depth of an embedding.

    Returns:
        The weight, and a description of the change; empty if there is none.

    Raises:
        CheckpointError: Neither tubelet depth divides the other, or patch sizes differ.
    """
    _, _, depth, patch, _ = weight_DCtpp.shape
    if patch != grid.patch:
        raise CheckpointError(
            f"{PATCH_EMBED} has patches of {patch} pixels, the recipe has {grid.patch}",
            f"set clip.patch to {patch}",
        )
    if depth == grid.tubelet:
        return weight_DCtpp, ""
    how = "repeated and divided" if depth < grid.tubelet else "summed over time"
    change = f"tubelets {depth} to {grid.tubelet} frames, {how}"
    return _fit_depth(weight_DCtpp, grid.tubelet), change


def _fit_depth(weight_DCtpp: Tensor, depth: int) -> Tensor:
    old = weight_DCtpp.shape[2]
    if depth % old == 0:
        times = depth // old
        return weight_DCtpp.repeat_interleave(times, dim=2) / times
    if old % depth == 0:
        parts = [part.sum(dim=2, keepdim=True) for part in weight_DCtpp.chunk(depth, dim=2)]
        return torch.cat(parts, dim=2)
    raise CheckpointError(
        f"{PATCH_EMBED} has tubelets of {old} frames, the recipe has {depth}: neither divides the"
        " other",
        f"set clip.tubelet to {old}",
    )

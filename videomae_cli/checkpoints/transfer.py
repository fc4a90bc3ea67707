"""From a pretrained model to the start of a fine-tuning.

Sources: what the original fine-tuning scripts keep and leave. VideoMAE leaves the pretrained
encoder's last norm behind, and normalises after pooling with a norm of its own that starts at
weight 1, bias 0; MAE-ST moves the pretrained one there. Learned positions are resized where the
grid is another: linearly in time, bicubically in space, as PySlowFast does.

Every change of the tubelet embedding keeps its answer to a clip that stands still, and every change
of channels keeps its answer to a grey one. Learned tables are interpolated; fixed ones
are computed, not stored, and need nothing.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor

from videomae_cli.checkpoints.load_report import LoadReport, Shapes, match_tensors
from videomae_cli.config.model import Norm
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid

LAST_NORM = "encoder.norm."
LEFT_BEHIND = {
    f"{LAST_NORM}*": "the classifier has a norm after pooling instead",
    "encoder_to_decoder.*": "part of the decoder",
    "mask_token": "part of the decoder",
    "decoder.*": "part of the decoder",
}
FRESH = ("fc_norm.*", "head.*")
SPACE, TIME = "encoder.positions.space", "encoder.positions.time"


def encoder_weights_for_classifier(
    weights: Mapping[str, Tensor],
    expected: Shapes,
    *,
    norm: Norm = "fresh",
) -> tuple[dict[str, Tensor], LoadReport]:
    """Choose what a classifier takes over from an autoencoder, or from another classifier.

    A classifier's norm is kept; its head too where the number of classes is the same.

    Args:
        weights: Native weights of either kind.
        expected: Native names and shapes of the new classifier.
        norm: What becomes of an autoencoder's last norm: left behind, or moved after the pooling.

    Raises:
        CheckpointError: The encoders differ; the tensors are named.
    """
    heads = [name for name in weights if name.startswith("head.")]
    fits = all(tuple(weights[name].shape) == tuple(expected[name]) for name in heads)
    norms = [name for name in weights if name.startswith(LAST_NORM) and norm == "pretrained"]
    moved = {name: name.replace(LAST_NORM, "fc_norm.") for name in norms}
    kept = {
        moved.get(name, name): tensor
        for name, tensor in weights.items()
        if fits or name not in heads
    }
    placed, report = match_tensors(
        kept, expected, allow_initialised=FRESH, allow_dropped=LEFT_BEHIND
    )
    reason = "a head for another number of classes"
    lost = {} if fits else dict.fromkeys(heads, reason)
    return placed, report._replace(moved=moved, dropped=report.dropped | lost)


def resize_positions(
    weights: Mapping[str, Tensor], old: TokenGrid, new: TokenGrid
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Make learned positions of an encoder fit another grid.

    Args:
        weights: Native weights; without learned positions nothing changes.
        old: The grid they are of.
        new: The grid they are for.

    Returns:
        All the weights, and the names of those that were resized.
    """
    resized: dict[str, Tensor] = {}
    if TIME in weights and old.t != new.t:
        time_1Dt = weights[TIME].transpose(1, 2)
        time_1Dt = F.interpolate(time_1Dt, new.t, mode="linear", align_corners=False)
        resized[TIME] = time_1Dt.transpose(1, 2).contiguous()
    if SPACE in weights and (old.h, old.w) != (new.h, new.w):
        space_1Dhw = weights[SPACE].transpose(1, 2).reshape(1, -1, old.h, old.w)
        space_1Dhw = F.interpolate(space_1Dhw, (new.h, new.w), mode="bicubic", align_corners=False)
        resized[SPACE] = space_1Dhw.flatten(2).transpose(1, 2).contiguous()
    return {**weights, **resized}, tuple(resized)


EMBED = "encoder.patch_embed.proj.weight"


def fit_geometry(
    weights: Mapping[str, Tensor], old: TokenGrid, new: TokenGrid
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Make native weights fit another clip geometry.

    Args:
        weights: Native names to tensors.
        old: Grid they were trained on.
        new: Grid wanted.

    Returns:
        The weights, and what was changed: name to sentence.

    Raises:
        CheckpointError: A tubelet depth is no multiple of the other, or patches differ in size.
    """
    fitted, resized = resize_positions(weights, old, new)
    changed = dict.fromkeys(resized, "positions interpolated")
    if EMBED in weights:
        fitted[EMBED], words = fit_embedding(weights[EMBED], new)
        if words:
            changed[EMBED] = words
    return fitted, changed


def fit_embedding(weight_DCtpp: Tensor, grid: TokenGrid) -> tuple[Tensor, str]:
    """Inflate or collapse an embedding's depth, and average its channels; say what was done.

    Raises:
        CheckpointError: A depth is no multiple of the other, or patches differ in size.
    """
    _, channels, depth, patch, _ = weight_DCtpp.shape
    if patch != grid.patch:
        raise CheckpointError(
            f"{EMBED} has patches of {patch} pixels, the recipe of {grid.patch}",
            f"set clip.patch to {patch}",
        )
    done = []
    if depth != grid.tubelet:
        weight_DCtpp = _fit_depth(weight_DCtpp, grid.tubelet)
        verb = "repeated and divided" if depth < grid.tubelet else "summed over time"
        done.append(f"tubelets {depth} to {grid.tubelet} frames, {verb}")
    if channels != grid.channels:
        mean = weight_DCtpp.mean(dim=1, keepdim=True) * channels / grid.channels
        weight_DCtpp = mean.repeat(1, grid.channels, 1, 1, 1)
        done.append(f"channels {channels} to {grid.channels}, averaged")
    return weight_DCtpp, "; ".join(done)


def _fit_depth(weight_DCtpp: Tensor, depth: int) -> Tensor:
    old = weight_DCtpp.shape[2]
    if depth % old == 0:
        times = depth // old
        return weight_DCtpp.repeat_interleave(times, dim=2) / times
    if old % depth == 0:
        parts = [part.sum(dim=2, keepdim=True) for part in weight_DCtpp.chunk(depth, dim=2)]
        return torch.cat(parts, dim=2)
    raise CheckpointError(
        f"{EMBED} is {old} frames deep, the recipe's tubelets {depth}: neither divides the other",
        f"set clip.tubelet to {old}",
    )

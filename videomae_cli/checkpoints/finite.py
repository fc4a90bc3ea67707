"""Find weights that are not finite: a model with one such value gives no result at all."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from videomae_cli.checkpoints.keymap import MAX_LISTED, Weights
from videomae_cli.errors import CheckpointError


def describe_nonfinite(weights: Weights, origins: Mapping[str, str] | None = None) -> str:
    """Return a sentence that names the tensors with NaN or infinite values; empty without any.

    `origins` gives the names in the file, by native name. Tensors without memory are skipped.
    """
    counts = {name: bad for name, tensor in weights.items() if (bad := _count_nonfinite(tensor))}
    if not counts:
        return ""
    names = origins or {}
    listed = [
        f"{names.get(name, name)} ({bad:,} of {weights[name].numel():,})"
        for name, bad in sorted(counts.items())[:MAX_LISTED]
    ]
    if len(counts) > MAX_LISTED:
        listed.append(f"{len(counts) - MAX_LISTED:,} more")
    verb = "holds" if len(counts) == 1 else "hold"
    return (
        f"{len(counts):,} of {len(weights):,} tensors {verb} values that are not finite:"
        f" {', '.join(listed)}"
    )


def require_finite(weights: Weights, file: Path, origins: Mapping[str, str] | None = None) -> None:
    """Check the weights that a model is about to use; the arguments are `describe_nonfinite`'s.

    Raises:
        CheckpointError: Some are not finite; their tensors are named.
    """
    if sentence := describe_nonfinite(weights, origins):
        raise CheckpointError(
            f"{file}: {sentence}",
            "the training that wrote it had diverged, or the values overflowed when they were"
            " stored with fewer bits: use an earlier checkpoint, or the file it was made from",
        )


def _count_nonfinite(tensor: Tensor) -> int:
    """Return the number of NaN and infinite values."""
    if tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
        return 0
    values = tensor.float() if tensor.element_size() == 1 else tensor  # float8 has no isfinite
    numbers = torch.view_as_real(values) if values.is_complex() else values  # complex32 has no sum
    # a sum is finite only if all values are, and ten times as fast to compute as looking at each
    return 0 if bool(numbers.sum().isfinite()) else int((~torch.isfinite(values)).sum())

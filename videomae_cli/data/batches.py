"""Typed batches: what a data set returns for one video, and what a model is trained on.

Shapes: B clips, C channels, T frames, H height, W width, N tokens, t slices,
K classes or values.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor


class PretrainBatch(NamedTuple):
    """Unlabelled clips."""

    clip: Tensor
    """uint8 (B, C, T, H, W), channels last in memory."""
    noise: Tensor
    """float32 (B, 2, N) in 0..1; random values that masks are drawn from."""
    indices: Tensor
    """int64 (B,), number of the video in its split."""
    failed: Tensor
    """int64 (B,), number of videos that could not be decoded and were replaced by this one."""


class FinetuneBatch(NamedTuple):
    """Labelled clips."""

    clip: Tensor
    """uint8 (B, C, T, H, W), channels last in memory."""
    label: Tensor
    """int64 (B,), the class; float32 (B, K) if the task is not `single-label`: 1.0 for each class
    that the video has, else 0.0, or standardised values."""
    erase: Tensor
    """int64 (B, 5): top, left, height (0: erase nothing), width, noise seed."""
    noise: Tensor
    """float32 (B, t) in 0..1; random values that frames are selected by."""
    indices: Tensor
    """int64 (B,), number of the video in its split."""
    failed: Tensor
    """int64 (B,), number of videos that could not be decoded and were replaced by this one."""


Batch = TypeVar("Batch", PretrainBatch, FinetuneBatch)
AnyBatch = PretrainBatch | FinetuneBatch
Allocate = Callable[[Sequence[int], torch.dtype], Tensor]
"""Returns an uninitialised contiguous tensor of a shape and type."""


def collate(samples: Sequence[Batch], allocate: Allocate | None = None) -> Batch:
    """Concatenate samples along their first axis, into new memory or that of `allocate`."""
    fields = zip(*samples, strict=True)
    return type(samples[0])(*(concatenate(tensors, allocate) for tensors in fields))


def concatenate(tensors: Sequence[Tensor], allocate: Allocate | None = None) -> Tensor:
    """Concatenate along the first axis, keeping clips channels-last, which `torch.cat` does not.

    A single tensor is returned as it is, if no memory is given.
    """
    if len(tensors) == 1 and allocate is None:
        return tensors[0]
    is_clip = tensors[0].ndim == 5
    parts = [part.permute(0, 2, 3, 4, 1) for part in tensors] if is_clip else list(tensors)
    out = None
    if allocate is not None:
        out = allocate((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    joined = torch.cat(parts, out=out)
    return joined.permute(0, 4, 1, 2, 3) if is_clip else joined

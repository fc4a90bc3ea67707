"""Training samples, by (epoch, index).

A sample depends on its seed, epoch and index only: frames are drawn from
`stream(seed, "frames", epoch, index)`, augmentation from `stream(seed, "sample", epoch, index,
repeat)`, colour matrices from `stream(seed, "color", epoch, index, repeat)`. Clips are uint8; they
are normalised on the device.

Shapes: R repeats (first axis of all tensors), C channels, T frames, t slices, H W pixels, N tokens.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec
from videomae_cli.data import transforms
from videomae_cli.data.batches import FinetuneBatch, PretrainBatch, concatenate
from videomae_cli.data.frame_sampling import sample_finetune_clip, sample_pretrain_clip
from videomae_cli.data.manifest import NO_TIMES, Times, Video
from videomae_cli.data.resize import Frames, center_crop
from videomae_cli.data.training_videos import TrainingVideos
from videomae_cli.data.transforms import Box, cut, whole_box
from videomae_cli.errors import DataError
from videomae_cli.rng import stream

PRETRAIN_AREA = (0.5, 1.0)  # of a random resized crop (MAE-ST)
SampleKey = tuple[int, int]  # epoch, number of the video in its split


class PretrainClips(TrainingVideos):
    """Unlabelled clips, R of each video, by (epoch, index)."""

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        augment: PretrainAugmentSpec,
        seed: int,
        times: Times = NO_TIMES,
    ) -> None:
        sample_indices = partial(_sample_pretrain_indices, clip, augment.repeats, times)
        super().__init__(videos, root, sample_indices, seed, clip.channels)
        self.clip, self.augment = clip, augment

    def __getitem__(self, key: SampleKey) -> PretrainBatch:
        epoch, index = key
        frames_LHWC, _, failed = self.read(epoch, index)  # L = R * T frames
        repeats, length = self.augment.repeats, self.clip.frames
        augmented = [
            self._augment(
                frames_LHWC[repeat * length : (repeat + 1) * length], (epoch, index, repeat)
            )
            for repeat in range(repeats)
        ]
        return PretrainBatch(
            clip=concatenate([clip for clip, _ in augmented]),
            noise=torch.cat([noise for _, noise in augmented]),
            indices=torch.full((repeats,), index),
            failed=torch.tensor([failed] + [0] * (repeats - 1)),
        )

    def _augment(self, frames_THWC: Frames, key: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        rng = stream(self.seed, "sample", *key)
        # drawn first, so that the masks of a run do not depend on its augmentation
        noise = rng.random((1, 2, self.clip.grid().tokens), dtype=np.float32)
        spec = self.augment
        frames_THWC = _crop(frames_THWC, spec, self.clip, PRETRAIN_AREA, rng)
        if spec.flip and rng.random() < 0.5:
            frames_THWC = transforms.flip(frames_THWC)
        frames_THWC = _mix_channels(frames_THWC, spec.color_mix, self.seed, key)
        return to_clip(frames_THWC), torch.from_numpy(noise)


class FinetuneClips(TrainingVideos):
    """Labelled clips, R of each video, by (epoch, index); a DataError if one has no label."""

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        augment: FinetuneAugmentSpec,
        seed: int,
        times: Times = NO_TIMES,
    ) -> None:
        for video in videos:
            if not video.is_labelled:
                raise DataError(f"{video.name} has no label", "fine-tuning needs labelled videos")
        sample_indices = partial(_sample_finetune_indices, clip, times)
        super().__init__(videos, root, sample_indices, seed, clip.channels)
        self.clip, self.augment = clip, augment
        self.policy = None
        if augment.randaugment is not None:
            from videomae_cli.data.augmentation.randaugment import (
                randaugment_policy,
            )  # imports timm

            self.policy = randaugment_policy(augment.randaugment)

    def __getitem__(self, key: SampleKey) -> FinetuneBatch:
        epoch, index = key
        frames_THWC, video, failed = self.read(epoch, index)
        repeats = self.augment.repeats
        augmented = [
            self._augment(frames_THWC, (epoch, index, repeat)) for repeat in range(repeats)
        ]
        rng = stream(self.seed, "slices", epoch, index)
        noise = rng.random((repeats, self.clip.grid().t), dtype=np.float32)
        return FinetuneBatch(
            clip=concatenate([clip for clip, _ in augmented]),
            label=_label(video, repeats),
            erase=torch.tensor([erase for _, erase in augmented]),
            noise=torch.from_numpy(noise),
            indices=torch.full((repeats,), index),
            failed=torch.tensor([failed] + [0] * (repeats - 1)),
        )

    def _augment(
        self, frames_THWC: Frames, key: tuple[int, int, int]
    ) -> tuple[Tensor, tuple[int, ...]]:
        spec, clip, rng = self.augment, self.clip, stream(self.seed, "sample", *key)
        take = cut
        if self.policy is not None:
            from videomae_cli.data.augmentation.randaugment import draw_steps
            from videomae_cli.data.augmentation.steps import apply_steps

            take = partial(apply_steps, steps=draw_steps(self.policy, rng))
        frames_THWC = _crop(frames_THWC, spec, clip, spec.area, rng, take)
        if spec.flip and rng.random() < 0.5:
            frames_THWC = transforms.flip(frames_THWC)
        frames_THWC = _mix_channels(frames_THWC, spec.color_mix, self.seed, key)
        box = (0, 0, 0, 0)  # nothing to erase
        if rng.random() < spec.erasing:
            from videomae_cli.data.erasing import draw_erase_box  # pretraining never needs it

            box = draw_erase_box(rng, clip.height, clip.width)
        return to_clip(frames_THWC), (*box, int(rng.integers(2**62)))


def _sample_pretrain_indices(
    clip: ClipSpec, repeats: int, times: Times, video: Video, rng: np.random.Generator
) -> list[int]:
    sample = partial(_sample_clip, sample_pretrain_clip, clip, times, video, rng)
    return [index for _ in range(repeats) for index in sample()]


def _sample_finetune_indices(
    clip: ClipSpec, times: Times, video: Video, rng: np.random.Generator
) -> list[int]:
    return _sample_clip(sample_finetune_clip, clip, times, video, rng)


def _sample_clip(
    by_number: Callable[[ClipSpec, int, np.random.Generator], list[int]],
    clip: ClipSpec,
    times: Times,
    video: Video,
    rng: np.random.Generator,
) -> list[int]:
    """Sample a clip by a rule for frame numbers, or by time if the clip asks for it."""
    if clip.step_seconds is None:
        return by_number(clip, video.frames, rng)
    from videomae_cli.data import time_sampling  # few recipes sample by time

    return time_sampling.sample_clip(clip, time_sampling.times_of(video, times), rng)


def _crop(
    frames_THWC: Frames,
    spec: PretrainAugmentSpec | FinetuneAugmentSpec,
    clip: ClipSpec,
    area: tuple[float, float],
    rng: np.random.Generator,
    take: Callable[[Frames, Box], Frames] = cut,
) -> Frames:
    height, width, resize = clip.height, clip.width, spec.resize
    if spec.crop == "multiscale":
        return transforms.multiscale_crop(frames_THWC, height, width, rng, take, resize)
    if spec.crop == "random-resized":
        return transforms.random_resized_crop(frames_THWC, height, width, rng, area, take, resize)
    frames_THWC = take(frames_THWC, whole_box(frames_THWC))
    return center_crop(frames_THWC, height, width)


def _mix_channels(
    frames_THWC: Frames, strength: float, seed: int, key: tuple[int, int, int]
) -> Frames:
    """Mix the channels by a matrix drawn from a stream of its own: other draws stay as they are."""
    if not strength:
        return frames_THWC
    from videomae_cli.data.augmentation.color_mix import (
        draw_matrix,
        mix_channels,
    )  # few recipes need it

    return mix_channels(frames_THWC, draw_matrix(stream(seed, "color", *key), strength))


def _label(video: Video, repeats: int) -> Tensor:
    """Return label_R, or target_RK for tasks other than single-label."""
    if video.target is not None:
        return torch.tensor([video.target] * repeats, dtype=torch.float32)
    assert video.label is not None
    return torch.full((repeats,), video.label)


def to_clip(frames_THWC: NDArray[Any]) -> Tensor:
    """Return clip_1CTHW with the channels of a pixel adjacent in memory, as `patchify` expects."""
    # one copy, which also makes a mirrored or cropped view contiguous
    clip_THWC = torch.from_numpy(np.ascontiguousarray(frames_THWC))
    return clip_THWC.permute(3, 0, 1, 2)[None]

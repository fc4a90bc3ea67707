"""(epoch, index) in, a training sample out.

All randomness of a sample is drawn from `stream(seed, "sample", epoch, index, repeat)`, and its
choice of frames from `stream(seed, "frames", epoch, index)`, so it depends on nothing else: not on
workers, order, resume or world size. Clips leave as uint8; normalisation happens on the device.
Every value has a leading axis of R repeats.

Shapes: R repeats, C colours, T frames, t slices, H height, W width, N tokens, V views.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec
from videomae_cli.data import frame_sampling as choose
from videomae_cli.data import transforms
from videomae_cli.data.batches import FinetuneBatch, PretrainBatch, concatenate
from videomae_cli.data.erasing import NOTHING, draw_erase_box
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import Frames
from videomae_cli.data.training_videos import TrainingVideos
from videomae_cli.errors import DataError
from videomae_cli.rng import stream

PRETRAIN_AREA = (0.5, 1.0)  # of a random resized crop (MAE-ST)
Sample = tuple[int, int]


class PretrainClips:
    """Unlabelled clips, R of each video, by (epoch, index).

    `clip` uint8 (R,C,T,H,W); `noise` float32 (R,2,N); `index`, `failed` int64 (R,).
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        augment: PretrainAugmentSpec,
        seed: int,
    ) -> None:
        self.source = TrainingVideos(
            videos, root, partial(_pretrain_frames, clip, augment.repeats), seed
        )
        self.clip, self.augment, self.seed = clip, augment, seed

    def __len__(self) -> int:
        return len(self.source.videos)

    def path(self, index: int) -> Path:
        """Return where video `index` lies."""
        return self.source.path(index)

    def __getitem__(self, sample: Sample) -> PretrainBatch:
        epoch, index = sample
        frames_LHWC, _, failed = self.source.read(epoch, index)  # R clips, one after the other
        repeats, length = self.augment.repeats, self.clip.frames
        varied = [
            self._vary(
                frames_LHWC[repeat * length : (repeat + 1) * length],
                stream(self.seed, "sample", epoch, index, repeat),
            )
            for repeat in range(repeats)
        ]
        return PretrainBatch(
            clip=concatenate([clip for clip, _ in varied]),
            noise=torch.cat([noise for _, noise in varied]),
            indices=torch.full((repeats,), index),
            failed=torch.tensor([failed] + [0] * (repeats - 1)),
        )

    def _vary(self, frames_THWC: Frames, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        # first, so that the masks of a run do not depend on its augmentation
        noise = rng.random((1, 2, self.clip.grid().tokens), dtype=np.float32)
        spec = self.augment
        frames_THWC = _crop(frames_THWC, spec.crop, self.clip.size, PRETRAIN_AREA, rng)
        if spec.flip and rng.random() < 0.5:
            frames_THWC = transforms.flip(frames_THWC)
        return to_clip(frames_THWC), torch.from_numpy(noise)


class FinetuneClips:
    """Labelled clips, R of each video, by (epoch, index).

    `clip` uint8 (R,C,T,H,W); `label`, `index`, `failed` int64 (R,); `erase` int64 (R,5): top,
    left, height (0: nothing to erase), width, noise seed; `noise` float32 (R,t): a value per slice.

    Raises:
        DataError: A video has no label.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        augment: FinetuneAugmentSpec,
        seed: int,
    ) -> None:
        for video in videos:
            if video.label is None:
                raise DataError(
                    f"{video.path} has no label", "fine-tuning needs a labelled data set"
                )
        self.source = TrainingVideos(videos, root, partial(_finetune_frames, clip), seed)
        self.clip, self.augment, self.seed = clip, augment, seed
        text = augment.randaugment
        self.policy = None if text is None else transforms.randaugment_policy(text)

    def __len__(self) -> int:
        return len(self.source.videos)

    def path(self, index: int) -> Path:
        """Return where video `index` lies."""
        return self.source.path(index)

    def __getitem__(self, sample: Sample) -> FinetuneBatch:
        epoch, index = sample
        frames_THWC, video, failed = self.source.read(epoch, index)
        assert video.label is not None
        repeats = self.augment.repeats
        varied = [
            self._vary(frames_THWC, stream(self.seed, "sample", epoch, index, repeat))
            for repeat in range(repeats)
        ]
        return FinetuneBatch(
            clip=concatenate([clip for clip, _ in varied]),
            label=torch.full((repeats,), video.label),
            erase=torch.tensor([erase for _, erase in varied]),
            noise=torch.from_numpy(self._slice_noise(epoch, index)),
            indices=torch.full((repeats,), index),
            failed=torch.tensor([failed] + [0] * (repeats - 1)),
        )

    def _slice_noise(self, epoch: int, index: int) -> NDArray[np.float32]:
        rng = stream(self.seed, "slices", epoch, index)
        return rng.random((self.augment.repeats, self.clip.grid().t), dtype=np.float32)

    def _vary(
        self, frames_THWC: Frames, rng: np.random.Generator
    ) -> tuple[Tensor, tuple[int, ...]]:
        spec, size = self.augment, self.clip.size
        if self.policy is not None:
            frames_THWC = transforms.randaugment(frames_THWC, self.policy, rng)
        frames_THWC = _crop(frames_THWC, spec.crop, size, spec.area, rng)
        if spec.flip and rng.random() < 0.5:
            frames_THWC = transforms.flip(frames_THWC)
        box = NOTHING
        if rng.random() < spec.erasing:
            box = draw_erase_box(rng, size, size)
        return to_clip(frames_THWC), (*box, int(rng.integers(2**62)))


def _pretrain_frames(
    clip: ClipSpec, repeats: int, frames: int, rng: np.random.Generator
) -> list[int]:
    """Choose the frames of `repeats` clips, each with a start of its own, one after the other."""
    return [number for _ in range(repeats) for number in _pretrain_clip(clip, frames, rng)]


def _pretrain_clip(clip: ClipSpec, frames: int, rng: np.random.Generator) -> list[int]:
    if clip.sampling == "segment":
        return choose.segment_train_indices(frames, clip.frames, rng)
    starts = choose.pretrain_start_range(frames, clip.frames, clip.stride_frames)
    start = starts[int(rng.integers(len(starts)))]
    return choose.pretrain_indices(frames, clip.frames, clip.stride_frames, start)


def _finetune_frames(clip: ClipSpec, frames: int, rng: np.random.Generator) -> list[int]:
    if clip.sampling == "segment":
        return choose.segment_train_indices(frames, clip.frames, rng)
    ends = choose.dense_end_range(frames, clip.frames, clip.stride_frames)
    end = ends[int(rng.integers(len(ends)))]
    return choose.dense_train_indices(frames, clip.frames, clip.stride_frames, end)


def _crop(
    frames_THWC: Frames,
    kind: str,
    size: int,
    area: tuple[float, float],
    rng: np.random.Generator,
) -> Frames:
    crops: dict[str, Callable[[], Frames]] = {
        "multiscale": lambda: transforms.multiscale_crop(frames_THWC, size, rng),
        "random-resized": lambda: transforms.random_resized_crop(frames_THWC, size, rng, area),
        "center": lambda: transforms.center_crop(frames_THWC, size),
    }
    return crops[kind]()


def to_clip(frames_THWC: Frames) -> Tensor:
    """Return clip_1CTHW whose colours lie together in memory, as `patchify` wants them."""
    # one copy, which also makes a mirrored or cut view whole again
    clip_THWC = torch.from_numpy(np.ascontiguousarray(frames_THWC))
    return clip_THWC.permute(3, 0, 1, 2)[None]

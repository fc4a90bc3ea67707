"""Test views of a video, by index; the video is read once.

Shapes: V views, C channels, T frames, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.data import frame_sampling, time_sampling
from videomae_cli.data.batches import concatenate
from videomae_cli.data.dataset import to_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.eval_crops import cut_eval_crops
from videomae_cli.data.manifest import NO_TIMES, Times, Video
from videomae_cli.errors import DataError


class VideoViews(NamedTuple):
    """The test views of one video."""

    views: Tensor
    """uint8 (V, C, T, H, W), clip by clip, and crop by crop within a clip; V = 0 after an error."""
    label: int
    """-1 if the video has no label."""
    number: int
    error: str
    """Why the video could not be decoded; empty if it was."""


class EvalViews:
    """All test views of a video, by index.

    A video that cannot be decoded has no views and an error; it is never replaced by another. Views
    are `clips` along time (a single one is taken from the middle) by `crops` along the longer side,
    `size` pixels high and wide.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        *,
        clips: int,
        crops: int,
        size: int,
        times: Times = NO_TIMES,
    ) -> None:
        self.videos, self.root, self.clip = tuple(videos), root, clip
        self.times = times
        self.clips, self.crops, self.size = clips, crops, size

    def __len__(self) -> int:
        return len(self.videos)

    def path(self, index: int) -> Path:
        """Return the path of video `index`."""
        return self.root / self.videos[index].path

    def __getitem__(self, index: int) -> VideoViews:
        video = self.videos[index]
        try:
            views, error = self._read_views(self.path(index), video), ""
        except DataError as failure:
            views, error = torch.empty((0, 3, 0, 0, 0), dtype=torch.uint8), failure.message
        label = -1 if video.label is None else video.label
        return VideoViews(views, label, index, error)

    def _read_views(self, path: Path, video: Video) -> Tensor:
        clips = self._clip_indices(video)
        indices = sorted({frame for clip in clips for frame in clip})
        crops = cut_eval_crops(
            read_frames(path, indices, decoder=video.decoder), self.size, self.crops
        )
        return concatenate(
            [to_clip(crop[np.searchsorted(indices, clip)]) for clip in clips for crop in crops]
        )

    def _clip_indices(self, video: Video) -> list[list[int]]:
        if self.clip.step_seconds is None:
            return frame_sampling.select_test_clips(self.clip, video.frames, self.clips)
        times = time_sampling.times_of(video, self.times)
        return time_sampling.select_test_clips(self.clip, times, self.clips)

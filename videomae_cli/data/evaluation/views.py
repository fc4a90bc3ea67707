"""Test views of videos, by index; each video is read once.

Shapes: V views, C channels, T frames, H height, W width.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.batches import concatenate
from videomae_cli.data.dataset import to_clip
from videomae_cli.data.decode import read_video
from videomae_cli.data.decoding.channels import convert_channels
from videomae_cli.data.evaluation.clips import select_clips
from videomae_cli.data.evaluation.crops import cut_eval_crops, cut_unrounded_crops
from videomae_cli.data.manifest import NO_TIMES, Times, Video
from videomae_cli.errors import DataError

FrameNumbers = Sequence[Sequence[int]]
NO_ARRAYS: Mapping[int, NDArray[np.uint8]] = {}


class VideoViews(NamedTuple):
    """The test views of one video, or of a part of it."""

    views: Tensor
    """(V, C, T, H, W), clip by clip, and crop by crop within a clip; V = 0 after an error. uint8,
    or normalised float32 if the protocol does not round pixels."""
    number: int
    """Which item of `EvalViews` this is."""
    error: str
    """Why the video could not be decoded; empty if it was."""


class ViewRequest(NamedTuple):
    """What to read in one go."""

    video: int
    """Number of the video."""
    clips: FrameNumbers | None = None
    """Frame numbers of each clip; None: those of the protocol."""


class EvalViews:
    """Test views of videos, by index.

    A video that cannot be decoded has no views and an error; it is never replaced by another.

    Args:
        videos: Rows of a manifest.
        root: The directory that their paths are relative to.
        clip: How clips are sampled, with the protocol applied (`Protocol.apply`).
        protocol: Clips along time (a single one is taken from the middle) by crops along the longer
            side.
        times: When frames are shown, for clips that are sampled in time.
        requests: What to read, such as the windows of long videos; None: each video once.
        arrays: All frames (T, H, W, C) of the videos that are arrays in memory, by number.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        clip: ClipSpec,
        protocol: Protocol,
        *,
        times: Times = NO_TIMES,
        requests: Sequence[ViewRequest] | None = None,
        arrays: Mapping[int, NDArray[np.uint8]] = NO_ARRAYS,
    ) -> None:
        self.videos, self.root, self.clip = videos, root, clip
        self.protocol, self.times, self.arrays = protocol, times, arrays
        self.requests = (
            [ViewRequest(number) for number in range(len(self.videos))]
            if requests is None
            else requests
        )

    def __len__(self) -> int:
        return len(self.requests)

    def path(self, index: int) -> Path:
        """Return the path of the video of item `index`."""
        return self.root / self.videos[self.requests[index].video].path

    def count_views(self, index: int) -> int:
        """Return how many views item `index` has if its video can be decoded."""
        clips = self.requests[index].clips
        return (self.protocol.clips if clips is None else len(clips)) * self.protocol.crops

    def __getitem__(self, index: int) -> VideoViews:
        try:
            return VideoViews(self._read(self.requests[index]), index, "")
        except DataError as failure:
            nothing = torch.empty((0, 3, 0, 0, 0), dtype=torch.uint8)
            return VideoViews(nothing, index, failure.message)

    def select_clips(self, video: int) -> list[list[int]]:
        """Return the frame numbers of the protocol's clips of a video."""
        return select_clips(self.protocol, self.clip, self.videos[video], self.times)

    def _read(self, request: ViewRequest) -> Tensor:
        video = self.videos[request.video]
        clips = self.select_clips(request.video) if request.clips is None else request.clips
        indices = sorted({frame for clip in clips for frame in clip})
        if request.video in self.arrays:
            frames_LHWC = self.arrays[request.video][indices]
            frames_LHWC = convert_channels(self.root / video.path, frames_LHWC, self.clip.channels)
        else:
            path = self.root / video.path
            frames_LHWC = read_video(path, video, indices, channels=self.clip.channels)
        return self.cut_views(frames_LHWC, indices, clips)

    def cut_views(
        self, frames_LHWC: NDArray[np.uint8], indices: Sequence[int], clips: FrameNumbers
    ) -> Tensor:
        """Return the views (V, C, T, H, W) of clips whose L frames have been decoded.

        Args:
            frames_LHWC: The frames.
            indices: Their numbers, ascending.
            clips: Frame numbers of each clip.
        """
        clip, crops, rules = self.clip, self.protocol.crops, self.protocol.rules
        if rules == "pyslowfast":
            unrounded = cut_unrounded_crops(frames_LHWC, clip.height, clip.width, crops)
            return self._normalize(_collect(unrounded, indices, clips))
        cut = cut_eval_crops(frames_LHWC, clip.height, clip.width, crops, rules)
        return _collect(cut, indices, clips)

    def _normalize(self, views_VCTHW: Tensor) -> Tensor:
        """Normalise float32 pixels, 0..255, as PySlowFast does: scale to 0..1 first."""
        mean_C111, std_C111 = (
            torch.tensor(values)[:, None, None, None]
            for values in (self.clip.channel_mean, self.clip.channel_std)
        )
        return (views_VCTHW / 255 - mean_C111) / std_C111


def _collect(crops: Sequence[NDArray[Any]], indices: Sequence[int], clips: FrameNumbers) -> Tensor:
    """Return views_VCTHW from the crops of all frames, which have ascending numbers."""
    places = [np.searchsorted(indices, clip) for clip in clips]
    return concatenate([to_clip(crop[place]) for place in places for crop in crops])

"""Index in, all test views of a video out; the video is read once.

Shapes: C colours, T frames, H height, W width, V views.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.data import frame_sampling as choose
from videomae_cli.data import views
from videomae_cli.data.batches import concatenate
from videomae_cli.data.dataset import to_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Video
from videomae_cli.errors import DataError


class VideoViews(NamedTuple):
    """The test views of one video."""

    views: Tensor
    """uint8 (V, C, T, H, W), clip by clip, and crop by crop within a clip; V = 0 after an error."""
    label: int
    """-1 for none."""
    number: int
    """Number of the video in its split."""
    error: str
    """Why the video could not be decoded; empty if it was."""


class EvalViews:
    """All test views of a video, by index; the video is read once.

    A video that cannot be decoded has no views and an error: it is never replaced by another.

    Args:
        videos: Rows of the manifest.
        root: What their paths are relative to.
        clip: Frames, stride and sampling of a view.
        clips: Views along time. One clip comes from the middle of the video.
        crops: Views along the longer side.
        size: Height and width of a view in pixels.
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
    ) -> None:
        self.videos, self.root, self.clip = tuple(videos), root, clip
        self.clips, self.crops, self.size = clips, crops, size

    def __len__(self) -> int:
        return len(self.videos)

    def path(self, index: int) -> Path:
        """Return where video `index` lies."""
        return self.root / self.videos[index].path

    def __getitem__(self, index: int) -> VideoViews:
        video = self.videos[index]
        found, error = torch.empty((0, 3, 0, 0, 0), dtype=torch.uint8), ""
        try:
            found = self._views(self.path(index), video)
        except DataError as failure:
            error = failure.message
        label = -1 if video.label is None else video.label
        return VideoViews(found, label, index, error)

    def _views(self, path: Path, video: Video) -> Tensor:
        chosen = self._frames(video.frames)
        wanted = choose.union(chosen)
        place = {frame: number for number, frame in enumerate(wanted)}
        crops = views.test_views(
            read_frames(path, wanted, decoder=video.decoder), self.size, self.crops
        )
        return concatenate(
            [to_clip(crop[[place[frame] for frame in clip]]) for clip in chosen for crop in crops]
        )

    def _frames(self, frames: int) -> list[list[int]]:
        if self.clip.sampling == "segment":
            return choose.segment_test_indices(frames, self.clip.frames, self.clips)
        return choose.dense_test_indices(
            frames, self.clip.frames, self.clip.stride_frames, self.clips
        )

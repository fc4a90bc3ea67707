"""Read training videos by number, and replace those that cannot be decoded.

A video that cannot be decoded is replaced by the next one of its split, and logged and counted.
Many failures in a row have another cause, such as a wrong data root, and stop the run. If all
frames of a split fit into memory, each video is decoded once per process and cached.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videomae_cli.data.decode import read_video
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import Frames
from videomae_cli.errors import DataError
from videomae_cli.rng import stream

MAX_REPLACEMENTS = 8
CACHE_BYTES = 2**28  # of decoded frames per process
logger = logging.getLogger("videomae")


class DecodedClip(NamedTuple):
    """The frames of one training clip."""

    frames: Frames
    """uint8 (T, H, W, C)."""
    video: Video
    """The video that was read; a replacement if `failed` is not 0."""
    failed: int
    """Number of videos before it that could not be decoded."""


class TrainingVideos:
    """The videos of a split, read by number.

    `sample_indices` is called with a video and a generator, and returns the frame numbers of a
    clip. Frames have C = `channels` channels.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        sample_indices: Callable[[Video, np.random.Generator], list[int]],
        seed: int,
        channels: int = 3,
    ) -> None:
        if not videos:
            raise DataError(
                "no videos to train on", "check that the manifest has rows of this split"
            )
        self.videos, self.root = videos, root
        self.sample_indices, self.seed, self.channels = sample_indices, seed, channels
        from videomae_cli.data.manifests.video_table import read_column

        sizes = [read_column(videos, name) for name in ("frames", "height", "width")]
        pixels = int(np.prod(sizes, axis=0).sum())
        self._cache: dict[int, Frames] | None = {} if channels * pixels <= CACHE_BYTES else None

    def __len__(self) -> int:
        return len(self.videos)

    def path(self, index: int) -> Path:
        """Return the path of video `index`."""
        return self.root / self.videos[index].path

    def read(self, epoch: int, index: int) -> DecodedClip:
        """Read the clip of video `index` in this epoch, or of the next that can be decoded."""
        failed: list[str] = []  # files, whose other segments are not tried
        for place in range(len(self.videos)):
            number = (index + place) % len(self.videos)
            video = self.videos[number]
            if video.path in failed:
                continue
            if len(failed) > MAX_REPLACEMENTS:
                break
            rng = stream(self.seed, "frames", epoch, index)
            try:
                indices = self.sample_indices(video, rng)
                return DecodedClip(self._frames(number, indices), video, len(failed))
            except DataError as error:
                last = error
                failed.append(video.path)
                logger.warning("%s; using the next video of the split instead", error.message)
        raise DataError(
            f"{len(failed)} videos in a row cannot be decoded, the last one: {last.message}",
            f"check that the data root {self.root} is right and readable, or run videomae prepare "
            "again",
        ) from last

    def _frames(self, number: int, indices: Sequence[int]) -> Frames:
        path, video = self.path(number), self.videos[number]
        read = partial(read_video, path, video, channels=self.channels)
        if self._cache is None:
            return read(indices)
        if number not in self._cache:
            self._cache[number] = read(range(video.frames))
        return self._cache[number][list(indices)]

"""Training videos by number, and what happens when one of them does not decode.

A video that fails is replaced by the next one of the same split, so the replacement is the same in
every run; it is logged and counted. Many failures in a row mean a wrong root or a dead disk, and
stop the run.

A split whose frames fit into memory, all of them, is decoded once per process and kept.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import Frames
from videomae_cli.errors import DataError
from videomae_cli.rng import stream

REPLACEMENTS = 8
KEEP_BYTES = 2**28  # of decoded frames per process
logger = logging.getLogger("videomae")


class Decoded(NamedTuple):
    """Frames (T, H, W, 3) of one training clip; `failed` videos were passed over to get them."""

    frames: Frames
    video: Video
    failed: int


class TrainingVideos:
    """The videos of a split and where they lie.

    Args:
        videos: Their rows in the manifest.
        root: What their paths are relative to.
        choose: Takes a number of frames and a generator, returns the frames of a clip.
        seed: The run's seed.

    Raises:
        DataError: There are no videos.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        root: Path,
        choose: Callable[[int, np.random.Generator], list[int]],
        seed: int,
    ) -> None:
        if not videos:
            raise DataError("no videos to train on", "does the manifest have rows of this split?")
        self.videos = tuple(videos)
        self.root = root
        self.choose = choose
        self.seed = seed
        pixels = sum(video.frames * video.height * video.width for video in videos)
        self._kept: dict[int, Frames] | None = {} if 3 * pixels <= KEEP_BYTES else None

    def path(self, index: int) -> Path:
        """Return where video `index` lies."""
        return self.root / self.videos[index].path

    def read(self, epoch: int, index: int) -> Decoded:
        """Read the clip of video `index` in this epoch, or of the next video that decodes.

        Raises:
            DataError: Too many videos in a row do not decode.
        """
        attempts = min(len(self.videos), 1 + REPLACEMENTS)
        for failed in range(attempts):
            number = (index + failed) % len(self.videos)
            video = self.videos[number]
            rng = stream(self.seed, "frames", epoch, index)
            try:
                wanted = self.choose(video.frames, rng)
                return Decoded(self._frames(number, wanted), video, failed)
            except DataError as error:
                last = error
                logger.warning("%s; took the next video of the split instead", error.message)
        raise DataError(
            f"{attempts} videos in a row do not decode, the last one: {last.message}",
            f"is the data root {self.root} right and readable? else run videomae prepare again",
        ) from last

    def _frames(self, number: int, wanted: Sequence[int]) -> Frames:
        path, video = self.path(number), self.videos[number]
        if self._kept is None:
            return read_frames(path, wanted, decoder=video.decoder)
        if number not in self._kept:
            self._kept[number] = read_frames(path, range(video.frames), decoder=video.decoder)
        return self._kept[number][list(wanted)]

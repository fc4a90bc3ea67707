"""Mean and standard deviation of the pixels of a data set, as `prepare` measures and stores them.

Every training video counts the same, whatever its length and size, as in training. The standard
deviation is that of all pixels together, so it includes differences between videos.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.data.manifest import DATASET
from videomae_cli.errors import DataError

DIGITS = 6
RGB = 3


class PixelStatistics(NamedTuple):
    """Statistics of pixels in 0..1, as in `dataset.json`."""

    channels: int
    """Channels of the stored frames: 3 for videos and images."""
    mean: tuple[float, ...]
    """Per channel; empty if nothing was measured."""
    std: tuple[float, ...]
    luma_mean: float | None
    """Of grey frames; None if the frames are not RGB."""
    luma_std: float | None

    def select(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Return mean and std for clips of `channels` channels; None if they were not measured."""
        if not self.mean:
            return None
        if channels == self.channels:
            return self.mean, self.std
        if channels == 1 and self.luma_mean is not None and self.luma_std is not None:
            return (self.luma_mean,), (self.luma_std,)
        if (channels, self.channels) == (RGB, 1):
            return self.mean * RGB, self.std * RGB
        return None


def summarize_pixels(moments: Iterable[Sequence[float]], channels: int) -> dict[str, Any]:
    """Return the facts for `dataset.json` from the moments of each training video.

    `moments`: per video the means of its channels, then the mean squares, with luma as the fourth
    channel of RGB; empty for a video that was not measured, which is left out.
    """
    rows = [row for row in moments if row]
    facts: dict[str, Any] = {"channels": channels, "measured_videos": len(rows)}
    if not rows:
        return facts
    averages = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
    half = len(averages) // 2
    mean = averages[:half]
    std = [
        math.sqrt(max(square - value**2, 0.0))
        for value, square in zip(mean, averages[half:], strict=True)
    ]
    mean, std = ([round(value, DIGITS) for value in values] for values in (mean, std))
    facts |= {"channel_mean": mean[:channels], "channel_std": std[:channels]}
    if channels == RGB:
        facts |= {"luma_mean": mean[RGB], "luma_std": std[RGB]}
    return facts


def read_statistics(folder: Path) -> PixelStatistics:
    """Read the statistics of a prepared directory; those of earlier versions have no numbers.

    Raises:
        DataError: `dataset.json` cannot be read, or its numbers were damaged.
    """
    file = folder / DATASET
    try:
        facts = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
        channels = int(facts.get("channels", RGB))
        mean, std = (
            tuple(map(float, facts.get(name, ()))) for name in ("channel_mean", "channel_std")
        )
        luma = (
            None if facts.get(name) is None else float(facts[name])
            for name in ("luma_mean", "luma_std")
        )
        statistics = PixelStatistics(channels, mean, std, *luma)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: its pixel statistics cannot be read: {error}", "run videomae prepare again"
        ) from error
    is_complete = not mean or len(mean) == len(std) == channels
    if not is_complete or not all(map(math.isfinite, (*mean, *std))):
        raise DataError(
            f"{file}: channel_mean and channel_std are not {channels} numbers each",
            "run videomae prepare again",
        )
    return statistics

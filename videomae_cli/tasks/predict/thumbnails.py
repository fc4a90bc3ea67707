"""Frames of a video to stand above its predictions over time."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.data.decode import read_video
from videomae_cli.data.decoding.channels import show_as_rgb
from videomae_cli.data.ingest.input_videos import InputVideos
from videomae_cli.data.time_sampling import times_of
from videomae_cli.errors import DataError
from videomae_cli.tasks.predict.picture import THUMBNAIL_HEIGHT, THUMBNAILS, draw_timeline
from videomae_cli.tasks.predict.result import Prediction, PredictResult


def draw_video_timeline(
    path: Path, windows: Sequence[Prediction], result: PredictResult, inputs: InputVideos
) -> None:
    """Write the picture of the windows of one of the inputs; an OSError if that fails."""
    frames = read_thumbnails(inputs, windows[0].video, float(windows[-1].end or 0))
    draw_timeline(path, windows, result.classes, result.task, frames)


def read_thumbnails(
    inputs: InputVideos, name: str, end: float
) -> list[tuple[float, NDArray[np.uint8]]]:
    """Return frames from the middles of equal parts of a video, with their times in seconds.

    Args:
        inputs: The videos.
        name: Which of them.
        end: Where the last part ends, in seconds.
    """
    video = next(video for video in inputs.videos if video.name == name)
    times = times_of(video, inputs.times)
    middles = (np.arange(THUMBNAILS) + 0.5) * end / THUMBNAILS
    frames = []
    for number in dict.fromkeys(times.numbers_at(middles)):
        with suppress(DataError):  # a frame that was damaged since: the picture has one frame less
            # one by one: memory for one frame, whatever the size of the video
            pixels = read_video(inputs.root / video.path, video, [number], channels=None)[0]
            frames.append((float(times.starts[number]), shrink(pixels)))
    return frames


def shrink(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame of any channels in RGB (H, W, 3) and in the size of a thumbnail."""
    height, width, _ = pixels_HWC.shape
    size = max(1, round(width * THUMBNAIL_HEIGHT / height)), THUMBNAIL_HEIGHT
    image = Image.fromarray(show_as_rgb(pixels_HWC[None])[0])
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))

"""The rows of a table of features: how views become rows, and which clip each row is.

Shapes: V views, R rows.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.time_sampling import compute_times
from videomae_cli.tasks.evaluate.run_views import Summary
from videomae_cli.tasks.features.options import Level

Clips = Sequence[Sequence[int]]


class Row(NamedTuple):
    """Which part of a video a row of features is."""

    video: int
    """Number of the video in the list."""
    clip: int | None
    """Number of the clip in the video, or of the window; None: all clips of the video."""
    crop: int | None
    """Number of the crop; None: all crops."""
    frames: tuple[tuple[int, ...], ...]
    """Frame numbers of each clip."""


def summarize(level: Level, crops: int) -> Summary:
    """Return the function that turns the outputs of the views of an item into its rows."""

    def reduce(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        if level == "token":
            return outputs
        if level == "video":
            mean: NDArray[np.float32] = outputs.mean(axis=0, keepdims=True)
            return mean
        clips: NDArray[np.float32] = outputs.reshape(-1, crops, *outputs.shape[1:]).mean(axis=1)
        return clips

    return reduce


def count_rows(level: Level, views: EvalViews, item: int) -> int:
    """Return the number of rows of an item whose video can be decoded."""
    count = views.count_views(item)
    return {"token": count, "video": 1}.get(level, count // views.protocol.crops)


def list_rows(level: Level, views: EvalViews, item: int, first_clip: int = 0) -> Iterator[Row]:
    """Yield the rows of an item in the order of its features.

    Args:
        level: What a row is.
        views: The test views.
        item: Number of the item.
        first_clip: Number of its first clip in the video.
    """
    video, selected = views.requests[item].video, views.requests[item].clips
    clips = views.select_clips(video) if selected is None else selected
    frames = tuple(tuple(int(frame) for frame in clip) for clip in clips)
    if level == "video":
        yield Row(video, None, None, frames)
        return
    for number, clip in enumerate(frames, first_clip):
        for crop in range(views.protocol.crops) if level == "token" else (None,):
            yield Row(video, number, crop, (clip,))


def time_span(views: EvalViews, row: Row) -> tuple[float, float] | None:
    """Return when the first frame of a row starts and its last one ends, in seconds.

    None if the frame rate of the video is unknown.
    """
    video = views.videos[row.video]
    times = views.times.get(video.path, ())
    if not len(times) and video.fps <= 0:
        return None
    measured = compute_times(video.path, video.frames, video.fps, times)
    numbers = [frame for clip in row.frames for frame in clip]
    after = max(numbers) + 1
    end = measured.end if after >= len(measured.starts) else float(measured.starts[after])
    return float(measured.starts[min(numbers)]), end

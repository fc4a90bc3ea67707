"""The rows of a table of features: how views become rows, and which clip each row is.

Shapes: V views, R rows.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.evaluation.windows import Window
from videomae_cli.data.manifest import Video
from videomae_cli.data.time_sampling import times_of
from videomae_cli.tasks.features.options import Level


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
    window: Window | None = None


class ItemWindows(NamedTuple):
    """The windows of an item."""

    first: int
    """Number of the first one in its video."""
    windows: tuple[Window, ...]


class Items(NamedTuple):
    """What features are computed of: whole videos, or some windows of one."""

    views: EvalViews
    level: Level
    windows: Sequence[ItemWindows] = ()
    """Of each item, at the level `window`."""

    def video(self, item: int) -> Video:
        """Return the video of an item."""
        return self.views.videos[self.views.requests[item].video]

    def count_views(self) -> list[int]:
        """Return the number of views of each item."""
        return [self.views.count_views(item) for item in range(len(self.views))]

    def count_rows(self, item: int) -> int:
        """Return the number of rows of an item whose video can be decoded."""
        if self.level == "window":
            return len(self.windows[item].windows)
        count = self.views.count_views(item)
        return {"token": count, "video": 1}.get(self.level, count // self.views.protocol.crops)

    def summarize(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn the outputs of the views of an item (V, ...) into its rows (R, ...)."""
        if self.level == "token":
            return outputs
        protocol = self.views.protocol
        views = {"video": len(outputs), "window": protocol.views}.get(self.level, protocol.crops)
        rows: NDArray[np.float32] = outputs.reshape(-1, views, *outputs.shape[1:]).mean(axis=1)
        return rows

    def list_rows(self, item: int) -> Iterator[Row]:
        """Yield the rows of an item in the order of its features."""
        video, selected = self.views.requests[item].video, self.views.requests[item].clips
        clips = self.views.select_clips(video) if selected is None else selected
        frames = tuple(tuple(int(frame) for frame in clip) for clip in clips)
        if self.level == "video":
            yield Row(video, None, None, frames)
        elif self.level == "window":
            count = self.views.protocol.clips
            first, windows = self.windows[item]
            for place, window in enumerate(windows):
                part = frames[place * count : (place + 1) * count]
                yield Row(video, first + place, None, part, window)
        else:
            for number, clip in enumerate(frames):
                for crop in range(self.views.protocol.crops) if self.level == "token" else (None,):
                    yield Row(video, number, crop, (clip,))

    def time_span(self, row: Row) -> tuple[float, float] | None:
        """Return when a row starts and ends, in seconds: of its window, else of its frames.

        None if the frame rate of the video is unknown.
        """
        if row.window is not None:
            return row.window.start, row.window.end
        video = self.views.videos[row.video]
        if video.path not in self.views.times and video.fps <= 0:
            return None
        measured = times_of(video, self.views.times)
        numbers = [frame for clip in row.frames for frame in clip]
        after = max(numbers) + 1
        end = measured.end if after >= len(measured.starts) else float(measured.starts[after])
        return float(measured.starts[min(numbers)]), end

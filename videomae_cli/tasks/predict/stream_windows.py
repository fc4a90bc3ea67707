"""Cut the frames of a stream into windows while they arrive."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.live_stream import StreamFrame
from videomae_cli.data.time_sampling import ROUNDING
from videomae_cli.errors import DataError
from videomae_cli.tasks.predict.picture import THUMBNAILS
from videomae_cli.tasks.predict.thumbnails import shrink

MAX_BYTES = 2 << 30  # of the frames that are kept
Frame = NDArray[np.uint8]


class StreamWindow(NamedTuple):
    """The frames of `[start, end)`, in seconds from the first frame of the stream."""

    start: float
    end: float
    frames: Sequence[StreamFrame]
    """At least one."""


def cut_windows(
    frames: Iterable[StreamFrame], seconds: float, hop: float, resize: Callable[[Frame], Frame]
) -> Iterator[StreamWindow]:
    """Yield each window when its last frame has arrived; those without a frame are left out.

    The last window is the first one that reaches the end of the stream, where it is cut off.

    Args:
        frames: The frames of the stream.
        seconds: Duration of a window.
        hop: Distance from the start of a window to that of the next.
        resize: Makes a frame as small as the views need it.

    Raises:
        DataError: The frames of a window need too much memory.
    """
    kept: deque[StreamFrame] = deque()
    number, bytes_kept, interval = 0, 0, 0.0
    for frame in frames:
        while frame.seconds >= number * hop + seconds - ROUNDING:
            yield from _window(kept, number * hop, number * hop + seconds)
            number += 1
            while kept and kept[0].seconds < number * hop - ROUNDING:
                bytes_kept -= kept.popleft().pixels.nbytes
        interval = 1 / frame.rate
        if frame.seconds < number * hop - ROUNDING:
            continue  # between two windows
        kept.append(frame._replace(pixels=resize(frame.pixels)))
        bytes_kept += kept[-1].pixels.nbytes
        if bytes_kept > MAX_BYTES:
            raise DataError(
                f"the frames of a window of {seconds:g} s need more than {MAX_BYTES >> 30} GB",
                "give a shorter --window",
            )
    if kept:
        end = min(number * hop + seconds, kept[-1].seconds + interval)
        yield from _window(kept, number * hop, end)


def _window(kept: Iterable[StreamFrame], start: float, end: float) -> Iterator[StreamWindow]:
    inside = [frame for frame in kept if start - ROUNDING <= frame.seconds < end - ROUNDING]
    if inside:
        yield StreamWindow(start, end, inside)


class Thumbnails:
    """A few small frames of a stream of unknown duration, evenly spread over what was read."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, Frame]] = []
        self._every, self._count = 1, 0

    def add(self, window: StreamWindow) -> None:
        """Keep a frame of a window, or none."""
        if self._count % self._every == 0:
            frame = window.frames[len(window.frames) // 2]
            self._frames.append((frame.seconds, shrink(frame.pixels)))
        self._count += 1
        if len(self._frames) == 2 * THUMBNAILS:
            self._frames = self._frames[::2]
            self._every *= 2

    def choose(self) -> list[tuple[float, Frame]]:
        """Return at most `THUMBNAILS` of the frames."""
        places = np.linspace(0, len(self._frames) - 1, min(THUMBNAILS, len(self._frames)))
        return [self._frames[round(float(place))] for place in places]

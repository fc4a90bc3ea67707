"""Black frames, frozen frames and perceptual hashes of a video, from some of its frames.

Used are frames 0, s, 2 s, ..., at most 32, and the frame after each of them. The step s is a power
of two, from the frame count in the header if it has one; every second frame used is left out again
when there are more than 32. So a wrong header costs only time or frames.

The hash is one bit for each of 64 low frequencies of the cosine transform of a frame, without the
mean: whether its amplitude is above the median. It changes little when a video is encoded again or
scaled. Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010), section 3.2.1.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.health.points import POINTS, Points

MAX_FRAMES = 32
BLACK, BLACK_SHARE = 26, 0.98  # a black frame has so many points that are at most so bright
STILL = 3  # an equal frame has no point whose brightness differs by more
FLAT = 8.0  # a frame of one colour: its averages over 2 x 2 points differ by at most so much
PLACES = (0.25, 0.5, 0.75)  # of the frames that are hashed, in the video
SIDE, ROWS, COLUMNS = POINTS // 2, 8, 9


class ContentFacts(NamedTuple):
    """The last three facts of `VideoHealth`."""

    black: float
    frozen: float
    hashes: tuple[str, ...]


class _Sample(NamedTuple):
    number: int
    is_black: bool
    points: Points
    is_frozen: bool | None = None
    """Whether the next frame is equal; None if there is none."""


class FrameContent:
    """Measures the content of one video; `expected` is its number of frames by its header, or 0.

    A frame that cannot be measured leaves the video without these facts, and raises nothing.
    """

    def __init__(self, expected: int = 0) -> None:
        self._step = 1
        while self._step * MAX_FRAMES < expected:
            self._step *= 2
        self._samples: list[_Sample] = []
        self._is_failed = False

    def add(self, number: int, read: Callable[[], Points]) -> None:
        """Take a frame into account if it is one of those used; `read` returns its points."""
        if self._is_failed or number % self._step > 1:
            return
        try:
            self._add(number, read())
        except Exception:  # noqa: BLE001  (a report never rejects a video)
            self._is_failed = True

    def _add(self, number: int, points: Points) -> None:
        last = self._samples[-1] if self._samples else None
        if last is not None and last.number == number - 1:
            change = np.abs(points.astype(np.int16) - last.points).max()
            self._samples[-1] = last._replace(is_frozen=bool(change <= STILL))
        if number % self._step == 0:
            is_black = bool(np.count_nonzero(points <= BLACK) >= BLACK_SHARE * points.size)
            self._samples.append(_Sample(number, is_black, points))
            if len(self._samples) > MAX_FRAMES:
                self._samples = self._samples[::2]
                self._step *= 2

    def conclude(self, frames: int) -> ContentFacts:
        """Return the facts of a video of `frames` frames."""
        if self._is_failed or not self._samples:
            return ContentFacts(0.0, 0.0, ())
        black = [sample.is_black for sample in self._samples]
        frozen = [one.is_frozen for one in self._samples if one.is_frozen is not None]
        nearest = (
            min(self._samples, key=lambda sample: abs(sample.number - place * frames))
            for place in PLACES
        )
        return ContentFacts(
            round(sum(black) / len(black), 3),
            round(sum(frozen) / len(frozen), 3) if frozen else 0.0,
            tuple(hash_points(sample.points) for sample in nearest),
        )


def hash_points(points_PP: Points) -> str:
    """Return the hash of a frame, 16 hexadecimal digits; "" for a frame of one colour."""
    values_PP = points_PP.astype(np.float32)
    rows_SP = values_PP[::2] + values_PP[1::2]
    averages_SS = (rows_SP[:, ::2] + rows_SP[:, 1::2]) / 4
    if averages_SS.max() - averages_SS.min() <= FLAT:
        return ""
    waves_RC = _COSINES_RS[:ROWS] @ averages_SS @ _COSINES_RS[:COLUMNS].T
    amplitudes_B = waves_RC.ravel()[1 : 1 + ROWS * (COLUMNS - 1)]
    bits_B = amplitudes_B > np.median(amplitudes_B)
    return np.packbits(bits_B).tobytes().hex()


def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the matrix of the cosine transform (DCT-II), not normalised."""
    frequencies_R1 = np.arange(max(ROWS, COLUMNS))[:, None]
    places_S = 2 * np.arange(SIDE) + 1
    return np.cos(np.pi * places_S * frequencies_R1 / (2 * SIDE)).astype(np.float32)


_COSINES_RS = _cosines()

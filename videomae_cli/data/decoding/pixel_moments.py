"""Mean and mean square of the pixels of a few frames of a video, while it is decoded once.

Used are frames 0, s, 2 s, ...: at most 8, where the step s is a power of two, from the frame count
in the header if it has one. Every second frame used is left out again when there are more than 8,
so a wrong header costs only time or frames. Of a frame every n-th row and every m-th column is
used, at most 128 of each. Sums are exact integers.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.channels import compute_luma

MAX_FRAMES = 8
MAX_SIDE = 128
WHITE = 255
_SQUARES = np.arange(WHITE + 1, dtype=np.uint16) ** 2


class PixelMoments:
    """The moments of one video; `expected` is its number of frames as its header says, 0: none.

    A frame that cannot be measured leaves the video without moments, and raises nothing.
    """

    def __init__(self, expected: int = 0) -> None:
        self._step = 1
        while self._step * MAX_FRAMES < expected:
            self._step *= 2
        self._sums: list[tuple[int, NDArray[np.uint64]]] = []
        self._is_failed = False

    def add(self, number: int, read: Callable[[], NDArray[np.uint8]]) -> None:
        """Take a frame into account if it is one of those used; `read` returns it as (H, W, C)."""
        if self._is_failed or number % self._step:
            return
        try:
            self._sums.append(_sum_pixels(read()))
        except Exception:  # noqa: BLE001  (statistics never reject a video)
            self._is_failed = True
            return
        if len(self._sums) > MAX_FRAMES:
            self._sums = self._sums[::2]
            self._step *= 2

    def conclude(self) -> tuple[float, ...]:
        """Return the means of pixels in 0..1 per channel, then the mean squares; () without any.

        Of RGB, luma is the fourth channel.
        """
        if self._is_failed or not self._sums:
            return ()
        pixels = sum(count for count, _ in self._sums)
        totals_2C = np.stack([sums for _, sums in self._sums]).sum(axis=0)
        means = [int(total) / (WHITE * pixels) for total in totals_2C[0]]
        squares = [int(total) / (WHITE**2 * pixels) for total in totals_2C[1]]
        return (*means, *squares)


def _sum_pixels(frame_HWC: NDArray[np.uint8]) -> tuple[int, NDArray[np.uint64]]:
    """Return the number of pixels, and per channel their sum and the sum of their squares."""
    row, column = (-(-side // MAX_SIDE) for side in frame_HWC.shape[:2])
    frame_HWC = frame_HWC[::row, ::column]
    if frame_HWC.shape[2] == 3:
        frame_HWC = np.concatenate((frame_HWC, compute_luma(frame_HWC[None])[0]), axis=2)
    values_XC = frame_HWC.reshape(-1, frame_HWC.shape[2])
    sums = [values.sum(axis=0, dtype=np.uint64) for values in (values_XC, _SQUARES[values_XC])]
    return len(values_XC), np.stack(sums)

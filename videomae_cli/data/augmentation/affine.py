"""Affine transforms of all frames of a clip at once, with the pixels of Pillow's bicubic filter.

Pillow interpolates each value with doubles and cuts off the fraction. All frames of a clip have the
same positions and weights, so these are computed once, and a weighted sum of neighbours in single
precision gives all frames of a pixel. Its error is bounded. Where the integer part is not certain
within this bound, the value is computed again as Pillow does, with doubles in the same order.

Shapes: T frames, H height, W width, C channels, uint8; P output pixels, V = C * T values of a
pixel, K neighbours of a pixel: 4 along each axis that is interpolated.
Source: Pillow's Geometry.c (HPND licence). Equal on x86-64; a Pillow that is compiled with fused
multiply-add can differ where an exact value is an integer.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from videomae_cli.data.resize import Frames
from videomae_cli.data.transforms import Box

Matrix = tuple[float, float, float, float, float, float]
Doubles = NDArray[np.float64]
TABLE_BYTES = 2**26  # of the neighbours in single precision, for as many frames as fit
CHUNK_PIXELS = 32768  # fewer calls matter more than the CPU cache (measured)
FILTER_SUM = 1.5  # greatest sum of the absolute weights along one axis
FLAT_SHARE = 1 / 64  # of uncertain values; more come from areas of one colour


class _Axis(NamedTuple):
    """The neighbours of P pixels along one axis."""

    numbers: NDArray[np.int32]
    """(4, P), or (1, P) if no pixel lies between two others."""
    weights: NDArray[np.float32]
    """Like `numbers`."""
    offset: Doubles
    """(P,), position between the second and the third neighbour, 0 to 1."""


def transform_affine(
    frames_THWC: Frames, matrix: Matrix, fill: int, *, whole: Box, box: Box, wanted: Box
) -> Frames:
    """Return frames whose pixel (x, y) is that at (a x + b y + c, d x + e y + f) of the input.

    Args:
        frames_THWC: The pixels of `box`, which is `find_source` of `wanted` or larger.
        matrix: a to f, for positions of pixel centres.
        fill: Value of the pixels that lie outside the input.
        whole: The frame.
        box: The part of it that `frames_THWC` contains.
        wanted: The part of the output that is returned.
    """
    length, _, _, channels = frames_THWC.shape
    group = max(1, TABLE_BYTES // (4 * box.height * box.width * channels))
    out_THWC = np.empty((length, wanted.height, wanted.width, channels), np.uint8)
    for first in range(0, length, group):
        frames = frames_THWC[first : first + group]
        pixels_PV = np.ascontiguousarray(frames.reshape(len(frames), -1).T)
        source = _Source(pixels_PV.reshape(-1, channels * len(frames)), whole, box)
        out_PV = np.full((wanted.height * wanted.width, source.pixels.shape[1]), fill, np.uint8)
        for places, x, y in _source_positions(matrix, whole, wanted):
            out_PV[places] = source.interpolate(x, y)
        out_TP = out_PV.reshape(-1, len(frames)).T
        out_THWC[first : first + group] = out_TP.reshape(len(frames), *out_THWC.shape[1:])
    return out_THWC


def find_source(matrix: Matrix, wanted: Box, whole: Box) -> Box:
    """Return the part of a frame that the transform reads for a part of its output."""
    a, b, c, d, e, f = matrix
    x = np.array([wanted.left, wanted.left + wanted.width])
    y = np.array([wanted.top, wanted.top + wanted.height])[:, None]
    limits = []
    for position, size in ((d * x + e * y + f, whole.height), (a * x + b * y + c, whole.width)):
        # two neighbours on each side, and one pixel more for rounding
        first = min(max(math.floor(position.min()) - 3, 0), size - 1)
        last = min(max(math.ceil(position.max()) + 3, first + 1), size)
        limits.append((first, last - first))
    (top, height), (left, width) = limits
    return Box(top, left, height, width)


def _source_positions(
    matrix: Matrix, whole: Box, wanted: Box
) -> Iterator[tuple[NDArray[np.intp], Doubles, Doubles]]:
    """Yield the numbers of output pixels that show the input, and the x and y that they show."""
    a, b, c, d, e, f = matrix
    rows = max(1, CHUNK_PIXELS // wanted.width)
    x = np.arange(wanted.left, wanted.left + wanted.width) + 0.5
    for first in range(0, wanted.height, rows):
        last = min(first + rows, wanted.height)
        y = np.arange(wanted.top + first, wanted.top + last)[:, None] + 0.5
        from_x, from_y = a * x + b * y + c, d * x + e * y + f
        inside = (from_x >= 0) & (from_x < whole.width) & (from_y >= 0) & (from_y < whole.height)
        places = np.flatnonzero(inside)
        if len(places):
            yield places + first * wanted.width, from_x[inside] - 0.5, from_y[inside] - 0.5


def _neighbours(position: Doubles, size: int, first: int) -> _Axis:
    """Return the neighbours, numbered from `first`; the last pixels stand for those beyond."""
    low = np.floor(position)
    offset = position - low
    number = low.astype(np.int32)
    if not offset.any():
        weights = np.ones((1, len(offset)), np.float32)
        return _Axis(number.clip(0, size - 1)[None] - first, weights, offset)
    square, cube = offset**2, offset**3
    numbers = np.stack([number - 1, number, number + 1, number + 2])
    weights = np.empty(numbers.shape, np.float32)
    weights[0] = 2 * square - offset - cube
    weights[1] = cube - 2 * square + 1
    weights[2] = offset + square - cube
    weights[3] = cube - square
    numbers = numbers.clip(0, size - 1, out=numbers)
    numbers -= first
    return _Axis(numbers, weights, offset)


class _Source:
    """The pixels that are interpolated: uint8 (height * width of `box`, V)."""

    def __init__(self, pixels_PV: NDArray[np.uint8], whole: Box, box: Box) -> None:
        self.pixels, self.whole, self.box = pixels_PV, whole, box
        self._table: torch.Tensor | None = None
        self._flat: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def interpolate(self, position_x: Doubles, position_y: Doubles) -> NDArray[np.uint8]:
        """Return the values at P positions in the frame, uint8 (P, V)."""
        x = _neighbours(position_x, self.whole.width, self.box.left)
        y = _neighbours(position_y, self.whole.height, self.box.top)
        count = len(position_x)
        numbers_PK = _contiguous((y.numbers * self.box.width)[:, None] + x.numbers, count)
        if numbers_PK.shape[1] == 1:
            return self.pixels.take(numbers_PK[:, 0], axis=0)
        weights_PK = _contiguous(y.weights[:, None] * x.weights, count)
        sums_PV = self._sum_neighbours(numbers_PK, weights_PK)
        bound = _rounding_error(len(x.numbers), len(y.numbers))
        np.clip(sums_PV, 0, 255.5, out=sums_PV)
        sums_PV += bound
        most_PV = sums_PV.astype(np.uint8)
        sums_PV -= 2 * bound  # above -1, which becomes 0
        out_PV = sums_PV.astype(np.uint8)
        unsure_PV = out_PV != most_PV
        if np.count_nonzero(unsure_PV) > FLAT_SHARE * out_PV.size:
            # equal neighbours give their own value, which is the upper one
            flat_PV = self._find_flat(len(y.numbers), len(x.numbers))[numbers_PK[:, 0]]
            flat_PV &= unsure_PV
            out_PV += flat_PV.view(np.uint8)
            unsure_PV ^= flat_PV
        pixels, values = np.divmod(np.flatnonzero(unsure_PV), out_PV.shape[1])
        if len(pixels):
            exact = self._interpolate_exactly(numbers_PK, x, y, pixels, values)
            out_PV[pixels, values] = exact.clip(0, 255).astype(np.uint8)
        return out_PV

    def _sum_neighbours(
        self, numbers_PK: NDArray[np.int32], weights_PK: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return weighted sums (P, V), with an error of at most `_rounding_error`."""
        if self._table is None:
            self._table = torch.from_numpy(self.pixels.astype(np.float32))
        sums_PV: NDArray[np.float32] = functional.embedding_bag(
            torch.from_numpy(numbers_PK),
            self._table,
            per_sample_weights=torch.from_numpy(weights_PK),
            mode="sum",
        ).numpy()
        return sums_PV

    def _interpolate_exactly(
        self,
        numbers_PK: NDArray[np.int32],
        x: _Axis,
        y: _Axis,
        pixels: NDArray[np.intp],
        values: NDArray[np.intp],
    ) -> Doubles:
        """Interpolate some values of some pixels as Pillow does."""
        values_K = self.pixels[numbers_PK[pixels].T, values].astype(np.float64)
        values_K = values_K.reshape(len(y.numbers), len(x.numbers), -1).swapaxes(0, 1)
        return _filter(_filter(values_K, x.offset[pixels]), y.offset[pixels])

    def _find_flat(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """Return bool (H * W, V): all of so many rows and columns from here have the same value."""
        if (rows, columns) not in self._flat:
            values_HWV = self.pixels.reshape(self.box.height, self.box.width, -1)
            height, width = self.box.height - rows + 1, self.box.width - columns + 1
            same = np.zeros(values_HWV.shape, np.bool_)
            if height > 0 and width > 0:
                inside = same[:height, :width]
                inside[:] = True
                if columns > 1:
                    pairs = values_HWV[:, :-1] == values_HWV[:, 1:]
                    runs = pairs[:, :width] & pairs[:, 1 : width + 1]
                    runs &= pairs[:, 2 : width + 2]
                    for row in range(rows):
                        inside &= runs[row : row + height]
                if rows > 1:
                    pairs = values_HWV[:-1, :width] == values_HWV[1:, :width]
                    for row in range(rows - 1):
                        inside &= pairs[row : row + height]
            self._flat[rows, columns] = same.reshape(self.pixels.shape)
        return self._flat[rows, columns]


def _contiguous(array: NDArray[Any], count: int) -> NDArray[Any]:
    """Return (count, K) from (..., count)."""
    return np.ascontiguousarray(array.reshape(-1, count).T)


def _filter(values: Doubles, offset: Doubles) -> Doubles:
    """Interpolate along the first axis, in the order of Pillow's operations."""
    if len(values) == 1:
        only: Doubles = values[0]
        return only
    v1, v2, v3, v4 = values
    p2 = -v1 + v3
    p3 = 2 * (v1 - v2) + v3 - v4
    p4 = -v1 + v2 - v3 + v4
    result: Doubles = v2 + offset * (p2 + offset * (p3 + offset * p4))
    return result


def _rounding_error(*neighbours: int) -> float:
    """Return a bound for the error of a weighted sum of 8-bit values in single precision.

    Each weight, product and sum is rounded, by at most 2^-24 of the greatest partial sum.
    """
    count, largest = 1, 255.0
    for number in neighbours:
        count *= number
        largest *= FILTER_SUM if number > 1 else 1.0
    return largest * 2.0**-24 * (2 * count + 8)

"""The confusion matrix in a report: cells with numbers for few classes, a picture for many.

Shapes: K classes; rows are true classes, columns predicted ones.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.evaluate.html.images import encode_image

MOST_CELLS = 30
"""Classes up to which each cell is a number."""
MOST_PAIRS = 20
RIGHT, WRONG = (37, 99, 235), (224, 78, 57)


class Pair(NamedTuple):
    """Two classes that the model confuses."""

    true: str
    predicted: str
    videos: int
    share: float
    """Share of the videos of the true class."""


class Matrix(NamedTuple):
    """A confusion matrix for the template."""

    cells: list[list[tuple[int, float]]]
    """Count and share of the row of each cell; empty for many classes."""
    picture: str
    """Data URI, one pixel a cell; empty for few classes."""
    entries: list[tuple[int, int, int]]
    """Row, column and count of the cells that are not 0; empty for few classes."""
    totals: list[int]
    """(K,) Videos of each row."""
    ticks: list[tuple[float, int]]
    """Positions in percent, and numbers of classes, along the axes of a picture."""
    pairs: list[Pair]


def build_matrix(matrix_KK: NDArray[np.int64], names: Sequence[str]) -> Matrix:
    """Prepare a confusion matrix."""
    share_KK = matrix_KK / np.maximum(matrix_KK.sum(axis=1, keepdims=True), 1)
    classes, totals = len(names), matrix_KK.sum(axis=1).tolist()
    pairs = find_confused_pairs(matrix_KK, names)
    if classes <= MOST_CELLS:
        rows = zip(matrix_KK.tolist(), share_KK.tolist(), strict=True)
        cells = [list(zip(counts, shares, strict=True)) for counts, shares in rows]
        return Matrix(cells, "", [], totals, [], pairs)
    step = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 5000) if classes < 12 * step)
    ticks = [(100 * (number + 0.5) / classes, number) for number in range(0, classes, step)]
    at = np.nonzero(matrix_KK)
    entries = np.stack([*at, matrix_KK[at]], axis=1).tolist()
    return Matrix([], encode_image(draw_matrix(share_KK), "png"), entries, totals, ticks, pairs)


def find_confused_pairs(matrix_KK: NDArray[np.int64], names: Sequence[str]) -> list[Pair]:
    """Return the most frequent mistakes, by count, then by share of the class."""
    wrong_KK = matrix_KK.copy()
    np.fill_diagonal(wrong_KK, 0)
    true_P, predicted_P = np.nonzero(wrong_KK)
    count_P = wrong_KK[true_P, predicted_P]
    share_P = count_P / matrix_KK.sum(axis=1)[true_P]
    order = np.lexsort((-share_P, -count_P))[:MOST_PAIRS]
    return [
        Pair(names[true_P[i]], names[predicted_P[i]], int(count_P[i]), float(share_P[i]))
        for i in order
    ]


def draw_matrix(share_KK: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels (K, K, RGBA): the diagonal in one colour, mistakes in another, 0 transparent.

    The opacity rises with the root of the share, from a quarter on, so that single mistakes show.
    """
    classes = len(share_KK)
    pixels_KKC = np.empty((classes, classes, 4), np.uint8)
    pixels_KKC[..., :3] = WRONG
    pixels_KKC[np.arange(classes), np.arange(classes), :3] = RIGHT
    alpha_KK = np.where(share_KK > 0, 0.25 + 0.75 * np.sqrt(share_KK), 0)
    pixels_KKC[..., 3] = np.rint(255 * alpha_KK)
    return pixels_KKC

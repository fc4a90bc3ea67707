"""What the metrics share: finite rows, means and ratios that may be undefined (NaN)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


class PerClass(NamedTuple):
    """Figures of each class; NaN where one is undefined."""

    n: Labels
    """(K,) Videos of the class."""
    recall: Floats
    """(K,) Share of these videos that is recognised; the accuracy of the class."""
    precision: Floats
    """(K,) Share of the videos predicted as this class that are of it."""
    f1: Floats
    """(K,) Harmonic mean of precision and recall."""
    confidence: Floats
    """(K,) Mean top probability of the videos of the class; above the recall: overconfident."""


def find_finite(output_VK: Floats) -> NDArray[np.bool_]:
    """Return (V,) whether all outputs of a video are finite."""
    return np.asarray(np.isfinite(output_VK).all(axis=1))


def average_defined(value_K: Floats) -> float:
    """Return the mean of the values that are not NaN; NaN if there is none."""
    defined = value_K[~np.isnan(value_K)]
    return float(defined.mean()) if len(defined) else float("nan")


def average_groups(value_V: NDArray[Any], group_V: Labels, groups: int) -> Floats:
    """Return the mean value of each group; NaN without values."""
    sum_G = np.bincount(group_V, weights=value_V, minlength=groups)
    return divide(sum_G, np.bincount(group_V, minlength=groups))


def divide(above_K: NDArray[Any], below_K: NDArray[Any]) -> Floats:
    """Return the ratio; NaN where the denominator is 0."""
    ratio_K = np.full(len(below_K), np.nan)
    np.divide(above_K, below_K, out=ratio_K, where=below_K > 0)
    return ratio_K

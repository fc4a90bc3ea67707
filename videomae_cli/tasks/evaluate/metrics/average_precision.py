"""Average precision of many classes and many bootstrap samples at once.

AP = sum over recall levels of the increase of recall times the precision there; equal scores are
one level, as in scikit-learn's `average_precision_score`, with which a test compares it. That
function takes one class and one sample: 1,000 bootstrap samples of 1,863 videos and 157 classes
(Charades) took it minutes, and the 10,000 videos of a per-video AP several seconds.

Shapes: V videos, K classes, P positive pairs of class and video.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def compute_average_precision(target_VK: Floats, score_VK: Floats) -> Floats:
    """Return (K,) the average precision of each class; NaN for a class without positives."""
    return RankedVideos(target_VK, score_VK).compute(np.ones(len(target_VK), np.int64))


class RankedVideos:
    """Videos sorted by score in each class, once, for any number of weightings.

    Args:
        target_VK: 1 for videos of the class, else 0.
        score_VK: Scores, not NaN; larger ones first.
    """

    def __init__(self, target_VK: Floats, score_VK: Floats) -> None:
        videos, self.classes = target_VK.shape
        self._order_KV = np.argsort(-score_VK.T, axis=1, kind="stable")
        score_KV = np.take_along_axis(score_VK.T, self._order_KV, axis=1)
        self._is_target_KV = np.take_along_axis(target_VK.T, self._order_KV, axis=1) > 0
        # position of the last video of equal score
        ends_KV = np.ones_like(score_KV, dtype=bool)
        ends_KV[:, :-1] = score_KV[:, 1:] != score_KV[:, :-1]
        position_KV = np.where(ends_KV, np.arange(videos), videos)
        last_KV = np.minimum.accumulate(position_KV[:, ::-1], axis=1)[:, ::-1]
        self._class_P, self._place_P = np.nonzero(self._is_target_KV)
        self._last_P = last_KV[self._class_P, self._place_P]

    def compute(self, weight_V: NDArray[Any]) -> Floats:
        """Return (K,) the average precision if video v occurs weight_V[v] times (an integer)."""
        weight_KV = weight_V[self._order_KV]
        count_KV = weight_KV.cumsum(axis=1)
        positive_KV = (weight_KV * self._is_target_KV).cumsum(axis=1)
        level_P = (self._class_P, self._last_P)
        # a count of 0 has a positive weight of 0 too
        precision_P = positive_KV[level_P] / np.maximum(count_KV[level_P], 1)
        weight_P = weight_KV[self._class_P, self._place_P]
        sum_K = np.bincount(self._class_P, weight_P * precision_P, minlength=self.classes)
        positives_K = np.bincount(self._class_P, weight_P, minlength=self.classes)
        ap_K = np.full(self.classes, np.nan)
        np.divide(sum_K, positives_K, out=ap_K, where=positives_K > 0)
        return ap_K

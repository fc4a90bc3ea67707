"""Metrics of a task with any number of labels per video: functions of target_VK and probability_VK.

A video without finite probabilities ranks below all others in each class and has no predicted
class. An undefined value is NaN. Shapes: V videos, K classes.
"""

import numpy as np

from videomae_cli.tasks.evaluate.metrics.arrays import (
    Floats,
    PerClass,
    average_defined,
    divide,
    find_finite,
)
from videomae_cli.tasks.evaluate.metrics.average_precision import compute_average_precision

THRESHOLD = 0.5
"""Probability from which on a class counts as predicted."""


def multi_label_metrics(target_VK: Floats, probability_VK: Floats) -> dict[str, float]:
    """Compute the metrics of a task with any number of labels per video.

    Returns:
        `map`: mean average precision of the classes with a positive video (MMAction2's
        `mean_average_precision`); `mmit_map`: average precision of each video over its classes,
        mean of the videos with a label (MMAction2's `mmit_mean_average_precision`); `micro_f1` and
        `macro_f1` at a probability of 0.5, the latter over classes that occur in targets or
        predictions; `loss`: mean binary log loss.
    """
    score_VK = rank_nonfinite_last(probability_VK)
    is_target_VK, is_predicted_VK = target_VK > 0, score_VK >= THRESHOLD
    right_K = (is_target_VK & is_predicted_VK).sum(axis=0)
    total_K = is_target_VK.sum(axis=0) + is_predicted_VK.sum(axis=0)
    return {
        "map": average_defined(compute_average_precision(target_VK, score_VK)),
        "mmit_map": average_defined(_compute_video_ap(target_VK, score_VK)),
        "micro_f1": 2 * float(right_K.sum()) / float(total_K.sum()) if total_K.any() else np.nan,
        "macro_f1": average_defined(divide(2 * right_K, total_K)),
        "loss": float(compute_binary_loss(target_VK, probability_VK).mean()),
    }


def multi_label_per_class(target_VK: Floats, probability_VK: Floats) -> tuple[PerClass, Floats]:
    """Compute the figures of each class at a probability of 0.5, and its average precision.

    The confidence is the mean probability of the class in its videos.
    """
    score_VK = rank_nonfinite_last(probability_VK)
    is_target_VK, is_predicted_VK = target_VK > 0, score_VK >= THRESHOLD
    right_K = (is_target_VK & is_predicted_VK).sum(axis=0)
    n_K, predicted_K = is_target_VK.sum(axis=0), is_predicted_VK.sum(axis=0)
    confidence_K = divide((score_VK.clip(0) * is_target_VK).sum(axis=0), n_K)
    f1_K = divide(2 * right_K, n_K + predicted_K)
    figures = PerClass(n_K, divide(right_K, n_K), divide(right_K, predicted_K), f1_K, confidence_K)
    return figures, compute_average_precision(target_VK, score_VK)


def rank_nonfinite_last(probability_VK: Floats) -> Floats:
    """Return probabilities in which a video that is not finite has -1, below all others."""
    return np.where(find_finite(probability_VK)[:, None], probability_VK, -1)


def compute_binary_loss(target_VK: Floats, probability_VK: Floats) -> Floats:
    """Return (V,) the mean binary log loss of a video; not finite: as if all were wrong."""
    is_finite_V1 = find_finite(probability_VK)[:, None]
    known_VK = np.where(is_finite_V1, probability_VK, 1 - target_VK).astype(np.float64)
    own_VK = np.where(target_VK > 0, known_VK, 1 - known_VK)
    loss_V: Floats = -np.log(np.maximum(own_VK, 1e-12)).mean(axis=1)
    return loss_V


def _compute_video_ap(target_VK: Floats, score_VK: Floats) -> Floats:
    """Return (V,) the average precision of each video; 0 if it is not finite but has labels."""
    ap_V = compute_average_precision(target_VK.T, score_VK.T)
    is_finite_V = score_VK.min(axis=1, initial=0) >= 0
    return np.where(is_finite_V | np.isnan(ap_V), ap_V, 0.0)

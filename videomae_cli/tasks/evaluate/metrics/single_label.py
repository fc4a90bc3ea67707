"""Metrics of a task with one label per video: pure functions of label_V and probability_VK.

Ties rank the lower label first, as argmax does; a video without finite probabilities is wrong, as
if its class had probability 0. scikit-learn computes precision, recall and F1 of each class. Its
`top_k_accuracy_score` is not used: it sorts in reverse, so a tie ranks the higher label first; nor
its `confusion_matrix`, which warns of a single class.

An undefined value is NaN. Shapes: V videos, K classes, B bins.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.evaluate.metrics.arrays import (
    Floats,
    Labels,
    PerClass,
    average_groups,
    find_finite,
)

BINS = 15
"""Bins of the calibration error, as in Guo et al. 2017, https://arxiv.org/abs/1706.04599."""
NO_CLASS = -1
"""Predicted label of a video without finite probabilities."""


class Calibration(NamedTuple):
    """Accuracy against confidence (the top probability), in bins of equal width."""

    n: Labels
    """(B,) Videos of the bin; bin b is (b / B, (b + 1) / B]."""
    confidence: Floats
    """(B,) Mean confidence of the bin; NaN without videos."""
    accuracy: Floats
    """(B,) Share of right predictions of the bin; NaN without videos."""

    @property
    def error(self) -> float:
        """Expected calibration error: mean |accuracy - confidence|, weighted by videos."""
        if not self.n.sum():
            return float("nan")
        gap_B = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float(np.average(gap_B, weights=self.n))


def rank_labels(label_V: Labels, probability_VK: Floats) -> Labels:
    """Return (V,) how many classes rank before the label: 0 if it is predicted, K if not finite."""
    is_finite_V = find_finite(probability_VK)
    known_VK = np.where(is_finite_V[:, None], probability_VK, 0)
    own_V1 = known_VK[np.arange(len(label_V)), label_V][:, None]
    is_lower_VK = np.arange(known_VK.shape[1]) < label_V[:, None]
    rank_V: Labels = (known_VK > own_V1).sum(axis=1) + ((known_VK == own_V1) & is_lower_VK).sum(
        axis=1
    )
    rank_V[~is_finite_V] = known_VK.shape[1]
    return rank_V


def predict_labels(probability_VK: Floats) -> Labels:
    """Return the most probable label (V,), the lowest of a tie; `NO_CLASS` if not finite."""
    is_finite_V = find_finite(probability_VK)
    known_VK = np.where(is_finite_V[:, None], probability_VK, 0)
    return np.where(is_finite_V, known_VK.argmax(axis=1), NO_CLASS)


def single_label_metrics(label_V: Labels, probability_VK: Floats) -> dict[str, float]:
    """Compute the metrics of a task with one label per video.

    Returns:
        `top1`; `top5` from six classes on; `mean_class`: mean recall of the classes that occur as
        labels; `balanced_accuracy`: scikit-learn's name for the same; `mean1`: MMAction2's
        `acc/mean1`, the mean over classes that occur as labels or predictions, where a class that
        is only predicted counts 0; `macro_f1` over the same classes; `ece`: calibration error of
        the videos with finite probabilities; `loss`: mean log loss.
    """
    rank_V, predicted_V = rank_labels(label_V, probability_VK), predict_labels(probability_VK)
    classes = probability_VK.shape[1]
    known_VK = np.where(find_finite(probability_VK)[:, None], probability_VK, 0)
    own_V = known_VK[np.arange(len(label_V)), label_V].astype(np.float64)
    mean_class = compute_mean_class(label_V, rank_V < 1, classes)
    metrics = {
        "top1": float((rank_V < 1).mean()),
        "mean_class": mean_class,
        "balanced_accuracy": mean_class,
        "mean1": _compute_mean1(label_V, predicted_V, classes),
        "macro_f1": compute_macro_f1(label_V, predicted_V, classes),
        "ece": calibrate(label_V, probability_VK).error,
        "loss": float(-np.log(np.maximum(own_V, 1e-12)).mean()),
    }
    return metrics | ({"top5": float((rank_V < 5).mean())} if classes > 5 else {})


def compute_mean_class(label_V: Labels, is_right_V: NDArray[np.bool_], classes: int) -> float:
    """Return the mean recall of the classes that occur as labels."""
    n_K = np.bincount(label_V, minlength=classes)
    right_K = np.bincount(label_V[is_right_V], minlength=classes)
    return float(np.mean(right_K[n_K > 0] / n_K[n_K > 0]))


def compute_macro_f1(label_V: Labels, predicted_V: Labels, classes: int) -> float:
    """Return the mean F1 of the classes that occur as labels or predictions."""
    right_K = np.bincount(label_V[label_V == predicted_V], minlength=classes)
    n_K = np.bincount(label_V, minlength=classes)
    total_K = n_K + np.bincount(predicted_V[predicted_V != NO_CLASS], minlength=classes)
    return float(np.mean(2 * right_K[total_K > 0] / total_K[total_K > 0]))


def per_class(label_V: Labels, probability_VK: Floats) -> PerClass:
    """Compute the figures of each class."""
    from sklearn.metrics import precision_recall_fscore_support  # slow to import

    predicted_V, classes = predict_labels(probability_VK), probability_VK.shape[1]
    precision_K, recall_K, f1_K, n_K = precision_recall_fscore_support(
        label_V, predicted_V, labels=np.arange(classes), zero_division=np.nan
    )
    is_finite_V = predicted_V != NO_CLASS
    top_V = probability_VK[is_finite_V].max(axis=1, initial=0)
    confidence_K = average_groups(top_V, label_V[is_finite_V], classes)
    return PerClass(n_K, recall_K, precision_K, f1_K, confidence_K)


def confusion(label_V: Labels, predicted_V: Labels, classes: int) -> Labels:
    """Return the number of videos of each label (row) and prediction (column), without NO_CLASS."""
    is_finite_V = predicted_V != NO_CLASS
    cell_V = label_V[is_finite_V] * classes + predicted_V[is_finite_V]
    return np.bincount(cell_V, minlength=classes**2).reshape(classes, classes)


def calibrate(label_V: Labels, probability_VK: Floats, bins: int = BINS) -> Calibration:
    """Compare confidence and accuracy of the videos with finite probabilities."""
    is_finite_V = find_finite(probability_VK)
    known_VK = probability_VK[is_finite_V].astype(np.float64)
    top_V = known_VK.max(axis=1, initial=0)
    is_right_V = known_VK.argmax(axis=1) == label_V[is_finite_V]
    bin_V = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], top_V, side="left")
    return Calibration(
        np.bincount(bin_V, minlength=bins),
        average_groups(top_V, bin_V, bins),
        average_groups(is_right_V, bin_V, bins),
    )


def _compute_mean1(label_V: Labels, predicted_V: Labels, classes: int) -> float:
    n_K = np.bincount(label_V, minlength=classes)
    right_K = np.bincount(label_V[label_V == predicted_V], minlength=classes)
    occurs_K = n_K + np.bincount(predicted_V[predicted_V != NO_CLASS], minlength=classes) > 0
    return float(np.mean((right_K / np.maximum(n_K, 1))[occurs_K]))

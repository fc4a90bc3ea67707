"""The main measure of a task with its interval, and differences between two outputs.

The measure is top-1 accuracy, mean average precision (mAP) or R²; none needs more than the weights
of the videos, so a bootstrap sample is a vector of weights.

Shapes: V videos, K outputs, B bootstrap samples.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.rng import stream
from videomae_cli.tasks.evaluate.metrics.arrays import average_defined
from videomae_cli.tasks.evaluate.metrics.average_precision import RankedVideos
from videomae_cli.tasks.evaluate.metrics.intervals import bootstrap_interval
from videomae_cli.tasks.probe.samples import Floats, Index, Target

NAMES: dict[Task, str] = {"single-label": "top-1", "multi-label": "mAP", "regression": "R²"}
KEYS: dict[Task, str] = {"single-label": "top1", "multi-label": "map", "regression": "r2"}
SAMPLES: dict[Task, int] = {"single-label": 1000, "multi-label": 200, "regression": 1000}
"""Of a bootstrap; mAP takes longer than the others."""
LEVEL = (2.5, 97.5)  # percentiles of the interval
Weights = NDArray[np.float64]
Metric = Callable[[Weights], float]


class Interval(NamedTuple):
    """A value with the 95 % interval of a bootstrap."""

    value: float
    low: float
    high: float

    @property
    def is_positive(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0

    @property
    def is_negative(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.high < 0

    def clip(self, task: Task) -> "Interval":
        """Return the part that a measure can have: up to 1, and not below 0 except R²."""
        least = -np.inf if task == "regression" else 0.0
        low, high = np.clip([self.low, self.high], least, 1.0).tolist()
        return Interval(self.value, low, high)

    def format(self, task: Task) -> str:
        """Format as `70.0 % [63.9, 76.4]`, or `0.70 [0.64, 0.76]` for R²."""
        if task == "regression":
            return f"{self.value:.2f}{self._format_ends(1, 2)}"
        return f"{100 * self.value:.1f} %{self._format_ends(100, 1)}"

    def format_difference(self, task: Task) -> str:
        """Format as `+12.3 points [8.1, 16.5]`, or `+0.12 [0.08, 0.17]` for R²."""
        if task == "regression":
            return f"{self.value:+.2f}{self._format_ends(1, 2)}"
        return f"{100 * self.value:+.1f} points{self._format_ends(100, 1)}"

    def _format_ends(self, scale: float, digits: int) -> str:
        """Format both ends; nothing if they are not known, of a single source."""
        if np.isnan(self.low):
            return ""
        # adding 0 turns a rounded -0.0 into 0.0
        low, high = (round(scale * end, digits) + 0.0 for end in (self.low, self.high))
        return f" [{low:.{digits}f}, {high:.{digits}f}]"


class Measure(NamedTuple):
    """How well outputs fit the targets of V videos."""

    task: Task
    interval: Interval
    videos: int
    auc: float | None = None
    """Area under the ROC curve, mean over the classes that occur; for single labels only."""

    def as_json(self) -> dict[str, Any]:
        """Return the measure as a JSON document."""
        key = KEYS[self.task]
        document: dict[str, Any] = {
            key: self.interval.value,
            "interval": [self.interval.low, self.interval.high],
            "videos": self.videos,
        }
        return document if self.auc is None else {**document, "auc": self.auc}


def measure_output(target: Target, output_VK: Floats) -> Measure:
    """Return the main measure of outputs; its interval is over videos, or over their sources."""
    interval = bootstrap([make_metric(target, output_VK)], target).clip(target.task)
    if target.task == "single-label":  # all right, or all wrong: the exact binomial bound
        is_right_V = output_VK.argmax(axis=1) == target.labels
        low, high = bootstrap_interval(is_right_V, group_V=target.group_V)
        interval = Interval(interval.value, low, high)
    auc = _compute_auc(target.labels, output_VK) if target.task == "single-label" else None
    return Measure(target.task, interval, target.videos, auc)


def measure_seeds(metrics: Sequence[Metric], target: Target) -> Interval:
    """Return the mean of one metric per seed; its interval is exact if all are right, or wrong."""
    interval = bootstrap(metrics, target)
    if target.task == "single-label" and interval.value in (0, 1):
        is_right_V = np.full(target.videos, bool(interval.value))
        interval = Interval(interval.value, *bootstrap_interval(is_right_V, group_V=target.group_V))
    return interval


def compare_outputs(target: Target, first_VK: Floats, second_VK: Floats) -> Interval:
    """Return the measure of the first outputs minus that of the second, on the same videos."""
    return bootstrap(
        [subtract(make_metric(target, first_VK), make_metric(target, second_VK))], target
    )


def subtract(first: Metric, second: Metric) -> Metric:
    """Return the metric `first - second`."""
    return lambda weight_V: first(weight_V) - second(weight_V)


def bootstrap(metrics: Sequence[Metric], target: Target) -> Interval:
    """Return the mean of one metric per seed, and its interval over seeds and videos.

    Each of 1,000 samples (200 of mAP) draws as many seeds, and as many sources of videos (or
    videos, if their sources are not known), with replacement. Samples for which a metric is not
    defined (no video with a label) are left out.
    """
    rng = stream(0, "probe", "bootstrap", target.videos)
    group_V = np.arange(target.videos) if target.group_V is None else target.group_V
    _, group_V = np.unique(group_V, return_inverse=True)
    sources, seeds = int(group_V.max()) + 1, len(metrics)
    means = []
    for _ in range(SAMPLES[target.task]):
        weight_V = rng.multinomial(sources, np.full(sources, 1 / sources))[group_V].astype(float)
        drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds))
        values = (
            [metrics[n](weight_V) for n in np.flatnonzero(drawn).tolist()] if weight_V.any() else []
        )
        if len(values) and np.isfinite(values).all():
            means.append(np.average(values, weights=drawn[drawn > 0]))
    value = float(np.mean([metric(np.ones(target.videos)) for metric in metrics]))
    if not means or sources < 2:
        return Interval(value, np.nan, np.nan)  # nothing is known of other sources
    # in a sample, videos occur repeatedly, which raises mAP: shifted back, to 1 at most
    shift = float(np.mean(means)) - value if target.task == "multi-label" else 0.0
    low, high = np.minimum(np.percentile(means, LEVEL) - shift, 1)
    return Interval(value, float(low), float(high))


def make_metric(target: Target, output_VK: Floats) -> Metric:
    """Return the main measure of a task as a function of the weights of the videos."""
    if target.task == "single-label":
        correct_V = (output_VK.argmax(axis=1) == target.labels).astype(np.float64)
        return lambda weight_V: float(weight_V @ correct_V / weight_V.sum())
    if target.task == "multi-label":
        ranked = RankedVideos(target.as_matrix(), output_VK)
        return lambda weight_V: average_defined(ranked.compute(weight_V))
    return _make_r2(target.as_matrix(), output_VK.astype(np.float64))


def _make_r2(target_VK: NDArray[np.float64], output_VK: NDArray[np.float64]) -> Metric:
    """Return R², averaged over the values; not defined if a value is the same for all videos."""

    def compute(weight_V: Weights) -> float:
        mean_K = weight_V @ target_VK / weight_V.sum()
        error_K = weight_V @ (target_VK - output_VK) ** 2
        total_K = weight_V @ (target_VK - mean_K) ** 2
        return float((1 - error_K / total_K).mean()) if (total_K > 0).all() else np.nan

    return compute


def make_auc(label_V: Index, output_VK: Floats) -> Metric:
    """Return the area under the ROC curve as a function of the weights of the videos.

    It is the mean over the classes that occur, each against the rest: the share of the pairs of a
    video of the class and another one in which the first has the higher output; equal ones count
    half, and a pair as often as the product of both weights. Not defined (NaN) if the weight of a
    class or of its rest is 0.
    """
    ranks = [np.unique(column_V, return_inverse=True)[1] for column_V in output_VK.T]
    classes = np.unique(label_V).tolist()

    def compute(weight_V: Weights) -> float:
        values = []
        for k in classes:
            positive_R = np.bincount(ranks[k], weight_V * (label_V == k))
            negative_R = np.bincount(ranks[k], weight_V * (label_V != k))
            below_R = np.cumsum(negative_R) - negative_R / 2
            pairs = positive_R.sum() * negative_R.sum()
            values.append(positive_R @ below_R / pairs if pairs else np.nan)
        return float(np.mean(values))

    return compute


def _compute_auc(label_V: Index, output_VK: Floats) -> float | None:
    """Return the AUC of all videos; None if there is only one class."""
    value = make_auc(label_V, output_VK)(np.ones(len(label_V)))
    return value if np.isfinite(value) else None

"""Confidence intervals of metrics: percentile bootstrap over videos, or over groups of videos.

Each round draws as many videos as there are, with replacement, and computes the metric again; the
interval contains the middle `level` of all rounds. If several videos stem from one source, they
are no independent evidence: `group_V` names the source of each, and whole groups are drawn.

Three cases in which the plain percentiles would mislead:

* All videos right, or all wrong: every sample is the same. The other end is then the exact binomial
  bound (Clopper-Pearson): 20 of 20 right is [83.2, 100] %.
* Metrics that are no mean: a sample repeats videos, and a positive video that occurs twice ranks
  beside itself, so mAP rises. The samples are shifted by their mean difference from the metric.
  Not those of R²: a few samples of almost equal values are far below 0, and a shift by their mean
  would put the upper end above 1.
* One group, or one video: nothing is known of the others, so the interval is undefined (NaN).

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
Shapes: V videos, K classes or outputs, G groups, R rounds, S sums.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from videomae_cli.tasks.evaluate.metrics.arrays import (
    Floats,
    Labels,
    average_defined,
    find_finite,
)
from videomae_cli.tasks.evaluate.metrics.average_precision import RankedVideos
from videomae_cli.tasks.evaluate.metrics.multi_label import rank_nonfinite_last
from videomae_cli.tasks.evaluate.metrics.single_label import (
    compute_macro_f1,
    compute_mean_class,
    predict_labels,
    rank_labels,
)

ROUNDS = 1000
LEVEL = 0.95
Groups = NDArray[Any] | None
"""(V,) The group of each video, of any type that can be sorted; None: each is its own."""


Metric = ArrayLike | Callable[[Labels], float]


class Interval(NamedTuple):
    """Both ends of a confidence interval; NaN if the metric is undefined."""

    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"))


def bootstrap_interval(
    metric: Metric,
    *,
    videos: int | None = None,
    group_V: Groups = None,
    seed: int = 0,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return the interval of the mean of a value per video, or of any metric.

    Args:
        metric: A value for each video, or a function that computes the metric of the videos at the
            positions it is given (with repetitions).
        videos: Number of videos; only for a function.
        group_V: The group of each video.
        seed: Random seed.
        rounds: Number of samples.
        level: Share of the samples inside.
    """
    rng = np.random.default_rng(seed)
    if not callable(metric):
        return _bootstrap_mean(np.asarray(metric), group_V, rng, rounds, level)
    if videos is None:
        raise ValueError("a function needs the number of videos")
    counts = _draw_counts(rng, videos, group_V, rounds)
    samples = [metric(np.repeat(np.arange(videos), count_V)) for count_V in counts]
    estimate = metric(np.arange(videos))
    return _take_quantiles(samples, estimate, level, _count_groups(videos, group_V))


def _bootstrap_mean(
    value_V: NDArray[Any], group_V: Groups, rng: np.random.Generator, rounds: int, level: float
) -> Interval:
    if not len(value_V):
        return UNDEFINED
    sum_G, n_G = _sum_groups(value_V.astype(np.float64), group_V)
    if value_V.dtype == bool and len(np.unique(value_V)) == 1:
        return _bound_constant(bool(value_V[0]), len(n_G), level)
    if value_V.dtype == bool and group_V is None:  # the sum of such a sample is binomial
        right_R = rng.binomial(len(value_V), value_V.mean(), rounds)
        samples = list(right_R / len(value_V))
    else:
        parts = _draw_counts(rng, len(n_G), None, rounds)
        samples = [float(count_G @ sum_G / (count_G @ n_G)) for count_G in parts]
    return _take_quantiles(samples, None, level, len(n_G))


def single_label_intervals(
    label_V: Labels, probability_VK: Floats, *, group_V: Groups = None, seed: int = 0
) -> dict[str, Interval]:
    """Return the intervals of top1, top5 (from six classes on), mean_class and macro_f1."""
    rank_V, predicted_V = rank_labels(label_V, probability_VK), predict_labels(probability_VK)
    videos, classes = probability_VK.shape

    def mean_class(index_V: Labels) -> float:
        return compute_mean_class(label_V[index_V], rank_V[index_V] < 1, classes)

    def macro_f1(index_V: Labels) -> float:
        return compute_macro_f1(label_V[index_V], predicted_V[index_V], classes)

    top1 = bootstrap_interval(rank_V < 1, group_V=group_V, seed=seed)
    intervals = {"top1": top1, "mean_class": top1, "macro_f1": top1}
    if 0 < (rank_V < 1).sum() < videos:  # else the three have one value, and one bound
        for name, metric in (("mean_class", mean_class), ("macro_f1", macro_f1)):
            interval = bootstrap_interval(metric, videos=videos, group_V=group_V, seed=seed)
            intervals[name] = _clip(interval)
    if classes > 5:
        intervals["top5"] = bootstrap_interval(rank_V < 5, group_V=group_V, seed=seed)
    return intervals


def multi_label_intervals(
    target_VK: Floats,
    probability_VK: Floats,
    *,
    group_V: Groups = None,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> dict[str, Interval]:
    """Return the interval of map; the videos are sorted once for all rounds."""
    ranked = RankedVideos(target_VK, rank_nonfinite_last(probability_VK))
    counts = _draw_counts(np.random.default_rng(seed), len(target_VK), group_V, rounds)
    samples = [average_defined(ranked.compute(count_V)) for count_V in counts]
    estimate = average_defined(ranked.compute(np.ones(len(target_VK), np.int64)))
    groups = _count_groups(len(target_VK), group_V)
    return {"map": _clip(_take_quantiles(samples, estimate, LEVEL, groups))}


def regression_intervals(
    target_VK: Floats,
    value_VK: Floats,
    *,
    group_V: Groups = None,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> dict[str, Interval]:
    """Return the intervals of mae, rmse and r2 (means over the outputs), all from sums."""
    is_finite_V = find_finite(value_VK)
    true_VK = target_VK[is_finite_V]
    if not len(true_VK):
        return dict.fromkeys(("mae", "rmse", "r2"), UNDEFINED)
    error_VK = value_VK[is_finite_V] - true_VK
    true_VK = true_VK - true_VK.mean(axis=0)  # a large mean would cost digits of the variance
    powers_VKS = np.stack([np.abs(error_VK), error_VK**2, true_VK, true_VK**2], axis=-1)
    sum_GKS, n_G = _sum_groups(powers_VKS, None if group_V is None else group_V[is_finite_V])
    drawn = _draw_counts(np.random.default_rng(seed), len(n_G), None, rounds)
    counts = [np.ones(len(n_G), np.int64), *drawn]  # the first is the set as it is
    rows = [_average_errors(np.tensordot(c, sum_GKS, axes=1) / (c @ n_G)) for c in counts]
    intervals = {
        name: _take_quantiles([row[at] for row in rows[1:]], rows[0][at], LEVEL, len(n_G))
        for at, name in enumerate(("mae", "rmse"))
    }
    return {**intervals, "r2": _take_quantiles([row[2] for row in rows[1:]], None, LEVEL, len(n_G))}


def _average_errors(mean_KS: Floats) -> tuple[float, float, float]:
    """Return mae, rmse and r2 from the means of |e|, e^2, y and y^2 (error e, true value y)."""
    absolute_K, square_K, mean_K, power_K = mean_KS.T
    variance_K = power_K - mean_K**2
    # the variance of a value that is repeated is a rounding error
    varies_K = variance_K > 1e-12 * np.maximum(power_K, np.finfo(np.float64).tiny)
    r2_K = np.full(len(variance_K), np.nan)
    np.divide(variance_K - square_K, variance_K, out=r2_K, where=varies_K)
    return float(absolute_K.mean()), float(np.sqrt(square_K).mean()), average_defined(r2_K)


def _draw_counts(
    rng: np.random.Generator, videos: int, group_V: Groups, rounds: int
) -> Iterator[NDArray[np.int64]]:
    """Yield, for each round, how often each video is drawn; the videos of a group together."""
    number_V = np.arange(videos) if group_V is None else _number_groups(group_V)
    groups = int(number_V.max(initial=-1)) + 1
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, groups, groups), minlength=groups)[number_V]


def _count_groups(videos: int, group_V: Groups) -> int:
    return videos if group_V is None else len(np.unique(group_V))


def _number_groups(group_V: NDArray[Any]) -> Labels:
    number_V: Labels = np.unique(group_V, return_inverse=True)[1].reshape(-1)
    return number_V


def _sum_groups(value_V: Floats, group_V: Groups) -> tuple[Floats, Labels]:
    """Return the sum of the values of each group (G, ...), and its videos (G,)."""
    if group_V is None:
        return value_V, np.ones(len(value_V), np.int64)
    number_V = _number_groups(group_V)
    n_G = np.bincount(number_V)
    sum_G = np.zeros((len(n_G), *value_V.shape[1:]))
    np.add.at(sum_G, number_V, value_V)
    return sum_G, n_G


def _bound_constant(value: bool, videos: int, level: float) -> Interval:
    """Return the Clopper-Pearson interval of all videos right, or all wrong."""
    bound = ((1 - level) / 2) ** (1 / videos)
    return Interval(bound, 1.0) if value else Interval(0.0, 1 - bound)


def _take_quantiles(
    samples: Sequence[float], estimate: float | None, level: float, groups: int
) -> Interval:
    """Return the middle `level` of the samples; with an estimate, shifted to have it as mean."""
    sample_R = np.asarray(samples, dtype=np.float64)
    sample_R = sample_R[~np.isnan(sample_R)]
    if groups < 2 or not len(sample_R):
        return UNDEFINED
    shift = 0.0 if estimate is None else estimate - sample_R.mean()
    low, high = np.quantile(sample_R + shift, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _clip(interval: Interval) -> Interval:
    """Return the part of an interval between 0 and 1."""
    return Interval(float(np.clip(interval.low, 0, 1)), float(np.clip(interval.high, 0, 1)))

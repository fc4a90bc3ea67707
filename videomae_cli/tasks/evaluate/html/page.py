"""What a report shows, as plain arrays and texts, and which videos it shows.

Shapes: V videos that could be decoded, K classes or outputs, T frames, H W pixels, C channels.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.tasks.evaluate.metrics.arrays import find_finite
from videomae_cli.tasks.evaluate.metrics.intervals import UNDEFINED, Interval
from videomae_cli.tasks.evaluate.metrics.multi_label import compute_binary_loss
from videomae_cli.tasks.evaluate.scores import Failure

Pixels = NDArray[np.uint8]
MAIN_METRIC: dict[Task, str] = {"single-label": "top1", "multi-label": "map", "regression": "r2"}
EXAMPLES = 8


class Counts(NamedTuple):
    """Numbers of videos; none is ever replaced by another."""

    attempted: int
    decoded: int
    unreadable: int
    nonfinite: int
    """Decoded videos for which the outputs of the model are not finite."""


class CurvePoint(NamedTuple):
    """A point of the label curve: a metric after training with some of the labels."""

    series: str
    """Name of the model, such as `pretrained`."""
    videos: int
    """Labelled training videos."""
    value: float
    interval: Interval = UNDEFINED


class Baseline(NamedTuple):
    """The same metric of a simple method that does not use the model."""

    name: str
    value: float
    interval: Interval = UNDEFINED
    note: str = ""
    """The input of the method, such as `16 statistics of frame differences`."""


class EvalPage(NamedTuple):
    """The content of a report."""

    title: str
    headline: str
    """The main metric with its interval and its protocol, as one sentence."""
    task: Task
    names: Sequence[str]
    """K names of the classes or outputs."""
    paths: Sequence[str]
    """V paths."""
    target: NDArray[Any]
    """label_V of a single-label task, else target_VK."""
    output_VK: NDArray[Any]
    """Probabilities, or values."""
    counts: Counts
    metrics: Mapping[str, float]
    """As the functions of `metrics/` return them."""
    intervals: Mapping[str, Interval] = MappingProxyType({})
    """Intervals of some of the metrics."""
    details: Sequence[tuple[str, str]] = ()
    """Names and values for the end of the page, such as the weights and the software."""
    thumbnails: Mapping[int, Pixels] = MappingProxyType({})
    """Frames THWC of some videos by their position; see `select_examples`."""
    failures: Sequence[Failure] = ()
    curve: Sequence[CurvePoint] = ()
    curve_note: str = ""
    """One sentence on what the label curve shows."""
    baselines: Sequence[Baseline] = ()
    baseline_note: str = ""


class Examples(NamedTuple):
    """Positions of the videos that a report shows."""

    worst: list[int]
    best: list[int]


def select_examples(
    task: Task, target: NDArray[Any], output_VK: NDArray[Any], count: int = EXAMPLES
) -> Examples:
    """Return the videos with the worst and best predictions among those with finite outputs.

    Single label: wrong ones by descending confidence, and right ones likewise. Multi-label: by log
    loss. Regression: by mean absolute error in standard deviations of the target. No video is among
    both.
    """
    finite = np.flatnonzero(find_finite(output_VK))
    known_VK, known_target = output_VK[finite], target[finite]
    if task == "single-label":
        is_right_V = known_VK.argmax(axis=1) == known_target
        order = np.argsort(-known_VK.max(axis=1, initial=0), kind="stable")
        worst, best = order[~is_right_V[order]][:count], order[is_right_V[order]][:count]
    else:
        if task == "multi-label":
            error_V = compute_binary_loss(known_target, known_VK)
        else:
            error_V = (np.abs(known_VK - known_target) / _find_scale(known_target)).mean(axis=1)
        order = np.argsort(error_V, kind="stable")
        number = min(count, (len(order) + 1) // 2)
        worst, best = order[::-1][:number], order[: min(count, len(order) - number)]
    return Examples(finite[worst].tolist(), finite[best].tolist())


def _find_scale(target_VK: NDArray[Any]) -> NDArray[Any]:
    """Return the standard deviation of each output (K,), 1 for a constant one."""
    if not len(target_VK):
        return np.ones(target_VK.shape[1])
    std_K = target_VK.std(axis=0)
    return np.where(std_K > 0, std_K, 1)

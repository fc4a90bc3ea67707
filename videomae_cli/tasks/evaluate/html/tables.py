"""The tables and captions of a report. Shapes: V videos, K classes or outputs."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.evaluate.html.images import encode_thumbnail
from videomae_cli.tasks.evaluate.html.page import MAIN_METRIC, EvalPage
from videomae_cli.tasks.evaluate.metrics.arrays import PerClass
from videomae_cli.tasks.evaluate.metrics.intervals import UNDEFINED, Interval
from videomae_cli.tasks.evaluate.metrics.multi_label import THRESHOLD

MOST_NAMES = 4
METRICS = {
    "top1": ("Top-1 accuracy", "the most probable class is the right one"),
    "top5": ("Top-5 accuracy", "the right class is among the five most probable ones"),
    "mean_class": (
        "Mean class accuracy",
        "mean of the accuracy of each class with videos; also called balanced",
    ),
    "mean1": ("acc/mean1", "as above, as MMAction2: a class that is only predicted counts 0"),
    "map": ("mAP", "mean average precision of the classes with a positive video"),
    "mmit_map": ("mAP per video", "mean average precision of the videos over their classes"),
    "micro_f1": ("Micro F1", "of all pairs of video and class, at a probability of 50 %"),
    "macro_f1": ("Macro F1", "mean of the F1 of each class"),
    "ece": ("Calibration error", "mean difference of confidence and accuracy, 15 bins (ECE)"),
    "loss": ("Log loss", "mean; lower is better"),
    "mae": ("MAE", "mean absolute error; mean over the outputs"),
    "rmse": ("RMSE", "root mean squared error; mean over the outputs"),
    "r2": ("R²", "explained share of the variance; mean over the outputs"),
}
IN_PERCENT = {"top1", "top5", "mean_class", "mean1", "macro_f1", "ece"}
IN_PERCENT |= {"map", "mmit_map", "micro_f1"}


class MetricRow(NamedTuple):
    """A line of the table of metrics."""

    name: str
    value: str
    interval: str
    meaning: str


class ClassRow(NamedTuple):
    """A line of the table of classes; shares are NaN if undefined."""

    number: int
    name: str
    n: int
    main: float
    """Recall, or average precision of a multi-label task; the table is sorted by it."""
    shares: tuple[float, ...]
    """The other columns."""


class Bar(NamedTuple):
    """A line of the comparison with baselines; positions in percent of the width."""

    name: str
    note: str
    value: str
    length: float
    interval: tuple[float, float] | None
    is_model: bool


class Example(NamedTuple):
    """A video with its prediction."""

    path: str
    true: str
    predicted: str
    thumbnail: str


def format_value(metric: str, value: float) -> str:
    """Format a metric, in percent if it is a share."""
    if math.isnan(value):
        return "undefined"
    return f"{100 * value:.1f} %" if metric.split("/")[0] in IN_PERCENT else _format_number(value)


def format_interval(metric: str, interval: Interval) -> str:
    """Format an interval as `[80.7, 81.9]`; empty if it is undefined."""
    if math.isnan(interval.low):
        return ""
    if metric.split("/")[0] in IN_PERCENT:
        return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return f"[{_format_number(interval.low)}, {_format_number(interval.high)}]"


def list_metrics(page: EvalPage) -> list[MetricRow]:
    """Return the known metrics, in their order here."""
    return [
        MetricRow(
            name,
            format_value(key, page.metrics[key]),
            format_interval(key, page.intervals.get(key, UNDEFINED)),
            meaning,
        )
        for key, (name, meaning) in METRICS.items()
        if key in page.metrics
    ]


def list_classes(
    figures: PerClass, names: Sequence[str], ap_K: NDArray[Any] | None = None
) -> list[ClassRow]:
    """Return the lines of the classes, worst first; those without a value come last."""
    main_K = figures.recall if ap_K is None else ap_K
    others = [figures.precision, figures.f1, figures.confidence]
    if ap_K is not None:
        others.insert(0, figures.recall)
    order = np.lexsort((-figures.n, np.nan_to_num(main_K, nan=2)))
    return [
        ClassRow(
            int(k),
            names[k],
            int(figures.n[k]),
            float(main_K[k]),
            tuple(float(share_K[k]) for share_K in others),
        )
        for k in order
    ]


def list_bars(page: EvalPage) -> list[Bar]:
    """Return the model and its baselines, best first, on a common scale from 0."""
    metric = MAIN_METRIC[page.task]
    own = page.intervals.get(metric, UNDEFINED)
    rows = [("your model", page.metrics.get(metric, math.nan), own, "", True)]
    rows += [(*baseline, False) for baseline in page.baselines]
    ends = [end for _, value, interval, *_ in rows for end in (value, *interval)]
    most = 1.0 if metric in IN_PERCENT else max(np.nanmax([*ends, 0.0]), 1e-9)

    def place(value: float) -> float:
        return float(np.clip(100 * np.nan_to_num(value) / most, 0, 100))

    return [
        Bar(
            name,
            note,
            f"{format_value(metric, value)} {format_interval(metric, interval)}".strip(),
            place(value),
            None if math.isnan(interval.low) else (place(interval.low), place(interval.high)),
            is_model,
        )
        for name, value, interval, note, is_model in sorted(
            rows, key=lambda row: -np.nan_to_num(row[1], nan=-math.inf)
        )
    ]


def compare_with_baselines(page: EvalPage) -> str:
    """Return one sentence: whether the model is better than the best baseline."""
    metric = MAIN_METRIC[page.task]
    value, (low, _) = page.metrics.get(metric, math.nan), page.intervals.get(metric, UNDEFINED)
    known = [baseline for baseline in page.baselines if not math.isnan(baseline.value)]
    if not known or math.isnan(value):
        return ""
    best = max(known, key=lambda baseline: baseline.value)
    name = best.name[:1].upper() + best.name[1:]
    own = f"Your model: {format_value(metric, value)}."
    scores = f"{own} {name} alone: {format_value(metric, best.value)}."
    if best.value >= value:
        return f"{scores} On these videos, the model is no better than a method without it."
    if low <= best.value:
        return f"{scores} The baseline is within the interval of the model."
    return scores


def list_examples(page: EvalPage, indices: Sequence[int]) -> list[Example]:
    """Return the captions and pictures of some videos."""
    describe = {
        "single-label": _describe_label,
        "multi-label": _describe_labels,
        "regression": _describe_values,
    }[page.task]
    return [
        Example(
            page.paths[index],
            *describe(page, index),
            encode_thumbnail(page.thumbnails[index]) if index in page.thumbnails else "",
        )
        for index in indices
    ]


def _describe_label(page: EvalPage, index: int) -> tuple[str, str]:
    predicted = int(page.output_VK[index].argmax())
    share = _format_share(page.output_VK[index, predicted])
    return page.names[page.target[index]], f"{page.names[predicted]} {share}"


def _describe_labels(page: EvalPage, index: int) -> tuple[str, str]:
    true = [page.names[int(k)] for k in np.flatnonzero(page.target[index] > 0)]
    output_K = page.output_VK[index]
    order = [int(k) for k in np.argsort(-output_K, kind="stable") if output_K[k] >= THRESHOLD]
    return _join(true), _join([f"{page.names[k]} {_format_share(output_K[k])}" for k in order])


def _describe_values(page: EvalPage, index: int) -> tuple[str, str]:
    rows = (page.target[index], page.output_VK[index])
    if len(page.names) == 1:
        return _format_number(rows[0][0]), _format_number(rows[1][0])
    true, predicted = (
        [f"{name} {_format_number(value)}" for name, value in zip(page.names, row, strict=True)]
        for row in rows
    )
    return _join(true), _join(predicted)


def _format_number(value: float) -> str:
    """Format a number with four digits, zeros at the end included."""
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def _join(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_NAMES} more" if len(texts) > MOST_NAMES else ""
    return ", ".join(texts[:MOST_NAMES]) + more if texts else "none"


def _format_share(share: float) -> str:
    """Format a probability; 100 % only if it is 1."""
    return f"{100 * share:.1f} %" if share < 0.9995 or share == 1 else "> 99.9 %"

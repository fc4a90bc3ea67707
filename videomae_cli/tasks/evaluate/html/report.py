"""Write the report of an evaluation: one HTML file with all pictures inside, no network.

Shapes: V videos, K classes or outputs.
"""

from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np

from videomae_cli import atomic
from videomae_cli.errors import UsageError
from videomae_cli.report import printable
from videomae_cli.tasks.evaluate.html import plots
from videomae_cli.tasks.evaluate.html.matrix import build_matrix
from videomae_cli.tasks.evaluate.html.page import (
    MAIN_METRIC,
    Baseline,
    CurvePoint,
    EvalPage,
    select_examples,
)
from videomae_cli.tasks.evaluate.html.tables import (
    IN_PERCENT,
    METRICS,
    compare_with_baselines,
    format_interval,
    format_value,
    list_bars,
    list_classes,
    list_examples,
    list_metrics,
)
from videomae_cli.tasks.evaluate.metrics.arrays import find_finite
from videomae_cli.tasks.evaluate.metrics.intervals import UNDEFINED
from videomae_cli.tasks.evaluate.metrics.multi_label import (
    THRESHOLD,
    multi_label_per_class,
    rank_nonfinite_last,
)
from videomae_cli.tasks.evaluate.metrics.single_label import (
    calibrate,
    confusion,
    per_class,
    predict_labels,
)
from videomae_cli.tasks.evaluate.scores import Failure

MOST_CLASSES = 2000
MOST_FAILURES = 500
MOST_OUTPUTS = 6


class OutputPlots(NamedTuple):
    """The plots of one output of a regression."""

    name: str
    values: str
    residuals: str


def write_report(path: Path, page: EvalPage) -> None:
    """Write the report as one HTML file, completely or not at all; `path` is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    source = files("videomae_cli.tasks.evaluate.html").joinpath("report.html").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.from_string(source).render(_build_content(_make_printable(page)))
    try:
        atomic.write_text(path, text)
    except OSError as error:
        raise UsageError(
            f"{path}: the report cannot be written: {error.strerror}",
            "check the permissions and the free disk space, or choose another place",
        ) from error


def _make_printable(page: EvalPage) -> EvalPage:
    """Escape what cannot be shown; names of files and classes may contain anything."""
    return page._replace(
        title=printable(page.title),
        headline=printable(page.headline),
        names=[printable(name) for name in page.names],
        paths=[printable(path) for path in page.paths],
        details=[(printable(name), printable(value)) for name, value in page.details],
        failures=[Failure(printable(path), printable(why)) for path, why in page.failures],
        curve=[point._replace(series=printable(point.series)) for point in page.curve],
        curve_note=printable(page.curve_note),
        baselines=[
            one._replace(name=printable(one.name), note=printable(one.note))
            for one in page.baselines
        ],
        baseline_note=printable(page.baseline_note),
    )


def _build_content(page: EvalPage) -> dict[str, Any]:
    """Return the variables of the template."""
    metric = MAIN_METRIC[page.task]
    examples = select_examples(page.task, page.target, page.output_VK)
    build = {
        "single-label": _build_single_label,
        "multi-label": _build_multi_label,
        "regression": _build_regression,
    }[page.task]
    content: dict[str, Any] = {
        "page": page,
        "main_name": METRICS[metric][0],
        "main_value": format_value(metric, page.metrics.get(metric, np.nan)),
        "main_interval": format_interval(metric, page.intervals.get(metric, UNDEFINED)),
        "metrics": list_metrics(page),
        "bars": list_bars(page) if page.baselines else [],
        "comparison": compare_with_baselines(page),
        "worst": list_examples(page, examples.worst),
        "best": list_examples(page, examples.best),
        "failures": page.failures[:MOST_FAILURES],
        "curve": _build_curve(page, metric),
        "classes": [],
        "class_columns": [],
        "matrix": None,
        "calibration": None,
        "precision_recall": None,
        "outputs": [],
        "output_rows": [],
        "script": {},
    }
    if len(page.target):
        content |= build(page)
    return content


def _build_single_label(page: EvalPage) -> dict[str, Any]:
    predicted_V, classes = predict_labels(page.output_VK), len(page.names)
    figures = per_class(page.target, page.output_VK)
    matrix = build_matrix(confusion(page.target, predicted_V, classes), page.names)
    is_finite_V = find_finite(page.output_VK)
    top_V = page.output_VK[is_finite_V].max(axis=1, initial=0)
    is_right_V = (predicted_V == page.target)[is_finite_V]
    calibration = calibrate(page.target, page.output_VK)
    return {
        "matrix": matrix,
        "classes": list_classes(figures, page.names)[:MOST_CLASSES],
        "class_columns": ["accuracy", "precision", "F1", "confidence"],
        "calibration": {
            "error": calibration.error,
            "confidence": float(top_V.mean()) if len(top_V) else np.nan,
            "accuracy": float(is_right_V.mean()) if len(top_V) else np.nan,
            "diagram": plots.plot_calibration(calibration),
            "histogram": plots.plot_confidence(top_V, is_right_V),
        },
        "script": {
            "names": page.names if matrix.picture else [],
            "entries": matrix.entries,
            "totals": matrix.totals,
        },
    }


def _build_multi_label(page: EvalPage) -> dict[str, Any]:
    figures, ap_K = multi_label_per_class(page.target, page.output_VK)
    score_VK = rank_nonfinite_last(page.output_VK)
    return {
        "classes": list_classes(figures, page.names, ap_K)[:MOST_CLASSES],
        "class_columns": ["AP", "recall", "precision", "F1", "confidence"],
        "precision_recall": plots.plot_precision_recall(page.target, score_VK, THRESHOLD),
    }


def _build_regression(page: EvalPage) -> dict[str, Any]:
    is_finite_V = find_finite(page.output_VK)
    true_VK, value_VK = page.target[is_finite_V], page.output_VK[is_finite_V]
    if not len(true_VK):
        return {}
    columns = zip(page.names, true_VK.T, value_VK.T, strict=True)
    outputs = [
        OutputPlots(
            name,
            plots.plot_values(true_V, value_V),
            plots.plot_residuals(value_V - true_V),
        )
        for name, true_V, value_V in islice(columns, MOST_OUTPUTS)
    ]
    keys = ("mae", "rmse", "r2")
    rows = [
        (name, *(format_value(key, page.metrics[f"{key}/{name}"]) for key in keys))
        for name in page.names
        if f"mae/{name}" in page.metrics
    ]
    return {"outputs": outputs, "output_rows": rows}


def _build_curve(page: EvalPage, metric: str) -> dict[str, Any] | None:
    if not page.curve:
        return None
    videos = sorted({point.videos for point in page.curve})
    series = plots.list_series(page.curve)
    cells = {(point.series, point.videos): _format_point(point, metric) for point in page.curve}
    return {
        "plot": plots.plot_curve(page.curve, METRICS[metric][0], is_percent=metric in IN_PERCENT),
        "series": series,
        "rows": [(number, [cells.get((one, number), "") for one in series]) for number in videos],
        "note": page.curve_note,
    }


def _format_point(point: CurvePoint | Baseline, metric: str) -> str:
    interval = format_interval(metric, point.interval)
    return f"{format_value(metric, point.value)} {interval}".strip()

"""Accuracy and AUC of cross-validated outputs, with intervals over sources and seeds.

Shapes: V videos, K classes, S seeds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from videomae_cli.tasks.probe.measures import (
    Interval,
    Metric,
    bootstrap,
    make_auc,
    make_metric,
    measure_seeds,
    subtract,
)
from videomae_cli.tasks.probe.samples import Floats, Target

Outputs = Mapping[str, Sequence[Floats]]
"""Row -> output_VK of all videos, one for each seed."""


def measure_rows(outputs: Outputs, target: Target) -> dict[str, dict[str, Any]]:
    """Return accuracy and AUC of each row with their intervals, and the values of each seed."""
    rows = {}
    for name, output_S in outputs.items():
        accuracy, auc = make_metrics(output_S, target)
        ones = np.ones(target.videos)
        rows[name] = {
            "top1": measure_seeds(accuracy, target)._asdict(),
            "auc": bootstrap(auc, target)._asdict(),
            "top1_seeds": [metric(ones) for metric in accuracy],
            "auc_seeds": [metric(ones) for metric in auc],
        }
    return rows


def make_metrics(output_S: Sequence[Floats], target: Target) -> tuple[list[Metric], list[Metric]]:
    """Return accuracy and AUC as functions of the weights of the videos, for each seed."""
    accuracy = [make_metric(target, output_VK) for output_VK in output_S]
    return accuracy, [make_auc(target.labels, output_VK) for output_VK in output_S]


def compare_rows(
    outputs: Outputs, rows: Mapping[str, Mapping[str, Any]], pair: tuple[str, str], target: Target
) -> dict[str, Any]:
    """Return the paired differences of two rows, first minus second, and what may be claimed.

    Nothing is claimed where the intervals of the two rows overlap, even if that of the difference
    excludes 0.
    """
    sides = [make_metrics(outputs[name], target) for name in pair]
    found: dict[str, Any] = dict(zip(("first", "second"), pair, strict=True))
    for key, first, second in zip(("top1", "auc"), *sides, strict=True):
        differences = [subtract(*metrics) for metrics in zip(first, second, strict=True)]
        found[key] = bootstrap(differences, target)._asdict()
        found[f"{key}_claim"] = claim(*(Interval(**rows[name][key]) for name in pair))
    return found


def claim(first: Interval, second: Interval) -> str:
    """Return "better" or "worse" if two intervals do not overlap, else "none"."""
    if first.low > second.high:
        return "better"
    return "worse" if first.high < second.low else "none"

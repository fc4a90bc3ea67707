"""Plot a label curve: one panel per probe, both encoders with their intervals."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomae_cli.report import printable
from videomae_cli.tasks.probe.curve import CurvePoint, LabelCurve
from videomae_cli.tasks.probe.measures import NAMES, Interval
from videomae_cli.tasks.probe.subsets import describe_count

BLUE, ORANGE, GREY = "#2563eb", "#d97706", "#6b7280"
MARKERS = ("o", "s")  # readable without colours too


def plot_curve(curve: LabelCurve, path: Path) -> None:
    """Plot measure over labels, with a logarithmic axis, as a PNG."""
    probes = curve.probes
    figure = Figure(figsize=(1.2 + 4.6 * len(probes), 4.6), layout="constrained")
    panels = figure.subplots(1, len(probes), sharey=True, squeeze=False)[0]
    for axes, probe in zip(panels, probes, strict=True):
        _plot_probe(axes, curve, probe)
    unit = "" if curve.task == "regression" else ", %"
    panels[0].set_ylabel(f"{NAMES[curve.task]}{unit} ({curve.split}, {curve.videos[1]:,} videos)")
    panels[0].legend(frameon=False, fontsize=9, loc="best")
    title = f"{curve.names[0]} and {curve.names[1]}, frozen, by labels"
    # a checkpoint may have dollar signs in its name, which are not formulas
    figure.suptitle(printable(title), fontsize=11, x=0.02, ha="left", parse_math=False)
    note = f"mean and 95 % interval over {curve.seeds} draws of the labels and over the videos"
    figure.supxlabel(f"training labels, logarithmic\n{note}", fontsize=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about characters that the font lacks: drawn as boxes
        figure.savefig(path, dpi=130)


def _plot_probe(axes: Axes, curve: LabelCurve, probe: str) -> None:
    points = curve.of_probe(probe)
    scale = 1 if curve.task == "regression" else 100
    labels = [sum(point.labels) / len(point.labels) for point in points]
    arms: Sequence[list[Interval]] = (
        [point.first for point in points],
        [point.second for point in points],
    )
    for name, intervals, color, marker in zip(
        curve.names, arms, (BLUE, ORANGE), MARKERS, strict=True
    ):
        values, low, high = (
            [scale * getattr(each, field) for each in intervals]
            for field in ("value", "low", "high")
        )
        axes.fill_between(labels, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(labels, values, color=color, marker=marker, label=_label(name))
    constant = scale * curve.constant.interval.value
    axes.axhline(constant, color=GREY, linestyle="--", linewidth=1, label="best constant answer")
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(_spread(labels), [_tick(points[n]) for n in _spread_rows(labels)])
    axes.set_title(f"{probe} probe", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)


def _label(name: str) -> str:
    """Return a name for the legend; a leading underscore would hide it, and `$` starts formulas."""
    text = printable(name).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _tick(point: CurvePoint) -> str:
    return f"{point.percent:g} %\n{describe_count(point.labels).replace(' to ', '-')}"


def _spread_rows(labels: Sequence[float]) -> list[int]:
    """Return the points whose tick has room: the last one, and others at least 1.25 times apart."""
    rows = [len(labels) - 1]
    for row in reversed(range(len(labels) - 1)):
        if labels[row] * 1.25 <= labels[rows[-1]]:
            rows.append(row)
    return rows[::-1]


def _spread(labels: Sequence[float]) -> list[float]:
    return [labels[row] for row in _spread_rows(labels)]

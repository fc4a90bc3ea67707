"""The plots of a report as inline SVG, in the colours of the page (light or dark).

Matplotlib draws with placeholder colours, which become CSS variables. No name of a user's class or
file is drawn: those are HTML. Shapes: V videos, B bins, N points.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from videomae_cli.tasks.evaluate.html.page import CurvePoint
from videomae_cli.tasks.evaluate.metrics.intervals import bootstrap_interval
from videomae_cli.tasks.evaluate.metrics.single_label import Calibration

TEXT, GRID, RIGHT, WRONG = "#010101", "#020202", "#030303", "#040404"
SERIES = (RIGHT, WRONG, "#050505", "#060606")
VARIABLES = {
    TEXT: "--secondary",
    GRID: "--border",
    RIGHT: "--right",
    WRONG: "--wrong",
    SERIES[2]: "--third",
    SERIES[3]: "--fourth",
}
MARKERS = "osD^"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "videomae",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": GRID,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "grid.color": GRID,
}
MOST_CIRCLES = 1000
"""With more points than this, a scatter plot shows their density."""


class Plot:
    """A plot in the making; `svg` is the text of the finished SVG."""

    axes: Axes
    svg: str


@contextmanager
def drawing(x_label: str, y_label: str) -> Iterator[Plot]:
    """Yield a plot with axes to draw on; its SVG exists when the block has ended."""
    plot = Plot()
    with rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.4), layout="constrained")
        plot.axes = figure.subplots()
        plot.axes.set(xlabel=x_label, ylabel=y_label)
        plot.axes.grid(axis="y", linewidth=0.8)
        yield plot
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    plot.svg = _inline(buffer.getvalue())


def plot_calibration(calibration: Calibration) -> str:
    """Draw the accuracy of each bin over its confidence, with intervals."""
    with drawing("confidence", "accuracy") as plot:
        axes = plot.axes
        axes.plot([0, 1], [0, 1], "--", color=TEXT, linewidth=1)
        bins = np.flatnonzero(calibration.n)
        x_N, y_N = calibration.confidence[bins], calibration.accuracy[bins]
        right_N = np.rint(y_N * calibration.n[bins]).astype(int)
        ends_N2 = np.array(
            [
                bootstrap_interval(np.arange(n) < right)
                for n, right in zip(calibration.n[bins], right_N, strict=True)
            ]
        ).reshape(-1, 2)
        _draw_error_bars(axes, x_N, y_N, ends_N2, RIGHT, "o")
        _format_percent(axes, "xy")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    return plot.svg


def plot_confidence(top_V: NDArray[Any], is_right_V: NDArray[np.bool_]) -> str:
    """Draw a histogram of the confidence of right and wrong predictions, stacked."""
    with drawing("confidence", "videos") as plot:
        parts, edges = [top_V[is_right_V], top_V[~is_right_V]], np.linspace(0, 1, 21)
        plot.axes.hist(parts, bins=list(edges), stacked=True, color=[RIGHT, WRONG], rwidth=0.9)
        _format_percent(plot.axes, "x")
        plot.axes.set(xlim=(0, 1))
        _use_whole_numbers(plot.axes)
    return plot.svg


def plot_precision_recall(target_VK: NDArray[Any], score_VK: NDArray[Any], threshold: float) -> str:
    """Draw precision over recall of all pairs of video and class, with the threshold as a point."""
    from sklearn.metrics import precision_recall_curve  # slow to import

    is_target_N, score_N = target_VK.ravel() > 0, score_VK.ravel()
    with drawing("recall", "precision") as plot:
        if is_target_N.any():
            precision_N, recall_N, _ = precision_recall_curve(is_target_N, score_N)
            kept = np.unique(np.linspace(0, len(recall_N) - 1, 300).astype(int))
            plot.axes.plot(recall_N[kept], precision_N[kept], color=RIGHT, linewidth=2)
            is_predicted_N = score_N >= threshold
            if is_predicted_N.any():
                right = (is_target_N & is_predicted_N).sum()
                x, y = right / is_target_N.sum(), right / is_predicted_N.sum()
                plot.axes.plot([x], [y], "o", color=WRONG, markersize=8)
        _format_percent(plot.axes, "xy")
        plot.axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    return plot.svg


def plot_values(true_V: NDArray[Any], value_V: NDArray[Any]) -> str:
    """Draw predicted over true values."""
    with drawing("true", "predicted") as plot:
        ends = [min(true_V.min(), value_V.min()), max(true_V.max(), value_V.max())]
        plot.axes.plot(ends, ends, "--", color=TEXT, linewidth=1)
        if len(true_V) <= MOST_CIRCLES:
            plot.axes.plot(true_V, value_V, "o", color=RIGHT, markersize=5, alpha=0.45, mew=0)
        else:
            count, x_edges, y_edges = np.histogram2d(true_V, value_V, bins=48)
            x, y = np.nonzero(count)
            share_N = np.sqrt(count[x, y] / count.max())
            centres = [(edges[:-1] + edges[1:]) / 2 for edges in (x_edges, y_edges)]
            size, alpha = 26, 0.12 + 0.88 * share_N
            plot.axes.scatter(
                centres[0][x], centres[1][y], s=size, marker="s", c=RIGHT, alpha=alpha, lw=0
            )
    return plot.svg


def plot_residuals(residual_V: NDArray[Any]) -> str:
    """Draw a histogram of predicted minus true values."""
    with drawing("predicted - true", "videos") as plot:
        plot.axes.hist(residual_V, bins=min(40, max(8, len(residual_V) // 8)), color=RIGHT)
        plot.axes.axvline(0, color=TEXT, linestyle="--", linewidth=1)
        _use_whole_numbers(plot.axes)
    return plot.svg


def plot_curve(points: Sequence[CurvePoint], y_label: str, *, is_percent: bool) -> str:
    """Draw a metric over the number of labelled videos, one line for each series."""
    with drawing("labelled training videos", y_label) as plot:
        for number, series in enumerate(list_series(points)):
            own = sorted([p for p in points if p.series == series], key=lambda p: p.videos)
            x_N, y_N = np.array([p.videos for p in own]), np.array([p.value for p in own])
            ends_N2 = np.array([p.interval for p in own])
            colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
            plot.axes.plot(x_N, y_N, color=colour, linewidth=1.5)
            _draw_error_bars(plot.axes, x_N, y_N, ends_N2, colour, marker)
        videos = sorted({p.videos for p in points})
        if videos[0] > 0:
            plot.axes.set_xscale("log")
        plot.axes.set_xticks(videos, [f"{number:,}" for number in videos])
        plot.axes.xaxis.set_minor_formatter(NullFormatter())
        plot.axes.minorticks_off()
        if is_percent:
            _format_percent(plot.axes, "y")
    return plot.svg


def list_series(points: Sequence[CurvePoint]) -> list[str]:
    """Return the names of the series in the order in which they first occur."""
    return list(dict.fromkeys(point.series for point in points))


def _draw_error_bars(
    axes: Axes,
    x_N: NDArray[Any],
    y_N: NDArray[Any],
    ends_N2: NDArray[Any],
    colour: str,
    marker: str,
) -> None:
    """Draw points with intervals; an undefined interval has no bar."""
    length_2N = np.nan_to_num(np.abs(ends_N2.T - y_N))
    axes.errorbar(x_N, y_N, yerr=length_2N, fmt=marker, color=colour, capsize=3, markersize=6)


def _format_percent(axes: Axes, directions: str) -> None:
    for direction in directions:
        axis = axes.xaxis if direction == "x" else axes.yaxis
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _use_whole_numbers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _inline(svg: str) -> str:
    """Return the SVG element alone, scalable, with CSS variables and without names of parts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' width="[\d.]+pt"| height="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", svg)
    # the font family is that of the page; Matplotlib before 3.10 writes it with the size
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg

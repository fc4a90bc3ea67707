"""The pictures of docs/science.md, from the results of `benchmarks/science.py`."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.claims import CLAIMS
from lab.page import PLOTS, Content, rows_of
from lab.paired import estimate_effect

COLOURS = {"holds": "#15803d", "fails": "#b91c1c", "cannot be told": "#6b7280"}
STRATEGIES = {
    "random": ("random", "#2563eb", "o-"),
    "tube": ("tube", "#d97706", "s-"),
    "frame": ("frame", "#7c3aed", "^-"),
    "cell": ("running cell on tube, FLOP of tube", "#be185d", "D--"),
    "motion": ("motion, FLOP of random", "#0f766e", "v--"),
}
CHANCE = 12.5


def draw_plots(content: Content, folder: Path) -> None:
    """Write all pictures into a folder."""
    drawings: tuple[Callable[[Content], Figure], ...] = (
        draw_claims,
        draw_masking,
        draw_labels,
    )
    for name, draw in zip(PLOTS, drawings, strict=True):
        draw(content).savefig(folder / name, dpi=130, metadata={"Software": None})


def draw_claims(content: Content) -> Figure:
    """Draw the effect and the interval of each claim."""
    results = content["claims"]
    names = [c.name for c in CLAIMS if results.get(c.name, {}).get("effect") is not None]
    figure = Figure(figsize=(7.2, 1.1 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        result = results[name]
        colour, (low, high) = COLOURS[result["verdict"]], result["interval"]
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(result["effect"], place, "o", color=colour, markersize=6)
    for verdict, colour in COLOURS.items():
        axes.plot([], [], "o-", color=colour, label=verdict)
    axes.axvline(0, color="#111827", linewidth=0.8)
    axes.axvline(content["least_effect"], color="#9ca3af", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=5)
    ends = [abs(end) for name in names for end in results[name]["interval"]]
    limit = max(10.0, 1.15 * max(ends, default=0.0))
    axes.set_xlim(-limit, limit)
    steps = [step for step in (2, 5, 10, 20, 40, 80, 160) if step < limit]
    ticks = [*(-step for step in reversed(steps)), 0, *steps]
    axes.set_xticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("effect in points of top-1, to the right: as the paper found")
    _clean(axes, "x")
    figure.legend(frameon=False, ncols=3, loc="outside upper center", fontsize=9)
    return figure


def draw_masking(content: Content) -> Figure:
    """Draw the probed accuracy of each strategy over the ratio."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, (prefix, (label, colour, style)) in enumerate(STRATEGIES.items()):
        points = []
        for ratio in (50, 75, 90):
            top1 = [row["top1"] for row in rows_of(content, f"{prefix}-{ratio}")]
            if top1:
                effect = estimate_effect(top1)
                half = 0.0 if effect is None else effect.high - effect.mean
                points.append((ratio + 0.6 * (number - 2), fmean(top1), half))
        if points:
            x, mean, half_width = zip(*points, strict=True)
            axes.errorbar(x, mean, half_width, fmt=style, color=colour, label=label, capsize=2)
    axes.axhline(CHANCE, color="#9ca3af", linestyle=":", linewidth=1)
    axes.set_xticks([50, 75, 90])
    axes.set(xlabel="masked tokens, %", ylabel="top-1 of a linear probe, %")
    _clean(axes, "y")
    figure.legend(frameon=False, ncols=3, loc="outside upper center", fontsize=9)
    return figure


def draw_labels(content: Content) -> Figure:
    """Draw the accuracy after fine-tuning over the number of labels."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    scores = {row["score"] for row in content["rows"] if "labels" in row}
    for start, label, colour in (
        (lambda arm: arm != "scratch", "pretrained", "#2563eb"),
        (lambda arm: arm == "scratch", "from scratch", "#9aa3b2"),
    ):
        points = []
        for score in scores:
            if start(score.partition("@")[0]):
                rows = rows_of(content, score)
                effect = estimate_effect([row["top1"] for row in rows])
                half = 0.0 if effect is None else effect.high - effect.mean
                points.append((rows[0]["labels"], fmean(row["top1"] for row in rows), half))
        if points:
            x, mean, half_width = zip(*sorted(points), strict=True)
            axes.errorbar(x, mean, half_width, fmt="o-", color=colour, label=label, capsize=3)
            axes.set_xscale("log")
            axes.set_xticks(x, [f"{labels:,}" for labels in x])
            axes.minorticks_off()
    axes.axhline(CHANCE, color="#9ca3af", linestyle=":", linewidth=1)
    axes.set(xlabel="labelled videos", ylabel="top-1 after fine-tuning, %")
    _clean(axes, "y")
    axes.legend(frameon=False)
    return figure


def _clean(axes: Axes, direction: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=direction, color="#eceff4")  # type: ignore[arg-type]
    axes.set_axisbelow(True)

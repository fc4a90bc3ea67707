"""Plot the curves of a run: loss, learning rate, gradient norm, probes of the features."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomae_cli.report import printable
from videomae_cli.tasks.diagnose.training_curve import PROBES, Line

BLUE, GREY, ORANGE, SLATE = "#2563eb", "#9aa3b2", "#d97706", "#475569"


def plot_curves(lines: Sequence[Line], title: str, path: Path, *, baseline: str) -> None:
    """Plot loss, learning rate and gradient norm over the steps, as a PNG with three panels.

    Probes of the features have a fourth one. `baseline` names the prediction whose loss is
    `trivial_loss`, a dashed line.
    """
    probed = [name for name in PROBES if any(name in line for line in lines)]
    figure = Figure(figsize=(8, 9 if probed else 7.5), layout="constrained")
    ratios = [3, *([1.4] if probed else []), 1, 1.4]
    loss, *probe, lr, norm = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    _plot_losses(loss, lines, baseline)
    for axes in probe:
        _plot(axes, lines, probed[0], BLUE)
        axes.set_ylabel(f"probe {PROBES[probed[0]]}")
    _plot(lr, lines, "lr", SLATE)
    lr.set_ylabel("learning rate")
    _plot(norm, lines, "grad_norm", SLATE, label="mean")
    _plot(norm, lines, "grad_norm_max", GREY, label="maximum")
    if any(line.get("grad_norm", 0.0) > 0 for line in lines):
        norm.set_yscale("log")
    norm.set_ylabel("gradient norm")
    _add_legend(norm)
    norm.set_xlabel("step")
    for axes in (loss, *probe, lr, norm):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
    # a run directory may have dollar signs in its name, which are not formulas
    figure.suptitle(printable(title), fontsize=11, x=0.02, ha="left", parse_math=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about characters that the font lacks: drawn as boxes
        figure.savefig(path, dpi=120)


def _plot_losses(axes: Axes, lines: Sequence[Line], baseline: str) -> None:
    _plot(axes, lines, "loss", BLUE, label="training loss")
    _plot(axes, lines, "val_loss", ORANGE, label="validation loss")
    trivial = [line["trivial_loss"] for line in lines if "trivial_loss" in line]
    if trivial:
        axes.axhline(trivial[-1], color=GREY, linestyle="--", label=baseline)
    losses = [line["loss"] for line in lines if "loss" in line]
    if losses and min(losses) > 0 and max(losses) > 10 * min(losses):
        axes.set_yscale("log")
    axes.set_ylabel("loss")
    _add_legend(axes)


def _add_legend(axes: Axes) -> None:
    """Add a legend, unless nothing has been plotted: a run may have no line but a probe's yet."""
    if axes.lines:
        axes.legend(frameon=False, fontsize=9)


def _plot(
    axes: Axes, lines: Sequence[Line], name: str, color: str, *, label: str | None = None
) -> None:
    points = [(line["step"], line[name]) for line in lines if name in line]
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=color, label=label, marker="." if len(points) < 3 else None)

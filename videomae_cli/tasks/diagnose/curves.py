"""The course of a run as a picture: loss, rate, gradient norm."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomae_cli.tasks.diagnose.verdict import Line

LOSS, GUESS, VALIDATION, QUIET = "#2563eb", "#9aa3b2", "#d97706", "#475569"


def draw_course(lines: Sequence[Line], title: str, path: Path, *, guess: str) -> None:
    """Draw three panels over the steps, and validation accuracy beside the loss where there is any.

    Args:
        lines: Of `metrics.jsonl`.
        title: Above the picture.
        path: The PNG to write.
        guess: What the dashed line is: the loss of a guess that has seen no clip.
    """
    figure = Figure(figsize=(8, 7.5), layout="constrained")
    loss, rate, norm = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1, 1.4])
    _losses(loss, lines, guess)
    _line(rate, lines, "lr", QUIET)
    rate.set_ylabel("rate")
    _line(norm, lines, "grad_norm", QUIET, label="mean")
    _line(norm, lines, "grad_norm_max", GUESS, label="worst step")
    if any(line.get("grad_norm", 0.0) > 0 for line in lines):
        norm.set_yscale("log")
    norm.set_ylabel("gradient norm")
    norm.legend(frameon=False, fontsize=9)
    norm.set_xlabel("step")
    for axes in (loss, rate, norm):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    figure.savefig(path, dpi=120)


def _losses(axes: Axes, lines: Sequence[Line], guess: str) -> None:
    _line(axes, lines, "loss", LOSS, label="training loss")
    _line(axes, lines, "val_loss", VALIDATION, label="validation loss")
    trivial = [line["trivial_loss"] for line in lines if "trivial_loss" in line]
    if trivial:
        axes.axhline(trivial[-1], color=GUESS, linestyle="--", label=guess)
    losses = [line["loss"] for line in lines if "loss" in line]
    if losses and min(losses) > 0 and max(losses) > 10 * min(losses):
        axes.set_yscale("log")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize=9)


def _line(
    axes: Axes, lines: Sequence[Line], name: str, color: str, *, label: str | None = None
) -> None:
    points = [(line["step"], line[name]) for line in lines if name in line]
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=color, label=label, marker="." if len(points) < 3 else None)

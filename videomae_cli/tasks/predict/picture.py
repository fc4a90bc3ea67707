"""Draw the predictions for the windows of a video over time, with frames of the video above.

Shapes: W windows, K classes, R rows.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.config.model import Task
from videomae_cli.report import printable
from videomae_cli.tasks.predict.result import Prediction

MAX_ROWS = 12
MAX_LABEL = 28  # characters of a class name
THUMBNAILS = 10
THUMBNAIL_HEIGHT = 120  # pixels
MARK = "#dc2626"
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#475569")
Frames = NDArray[np.uint8]


def draw_timeline(
    path: Path,
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    task: Task,
    thumbnails: Sequence[tuple[float, Frames]] = (),
) -> None:
    """Write a PNG: a row for each of the most frequent classes, coloured by its probability.

    The class with the highest probability of each window is marked. A regression is drawn as one
    curve for each value.

    Args:
        path: The file.
        predictions: Those of the windows of one video, in the order of time.
        classes: Names of all classes or values.
        task: What the scores are.
        thumbnails: Frames (H, W, 3) with their times in seconds, evenly spread.

    Raises:
        OSError: The file cannot be written.
    """
    score_WK = np.stack([one.score_K for one in predictions])
    rows = _choose_rows(score_WK, task)
    figure, axes = _make_figure(len(rows), task, has_frames=bool(thumbnails))
    if task == "regression":
        _draw_values(axes[-1], predictions, score_WK, rows, classes)
    else:
        _draw_heat(figure, axes[-1], predictions, score_WK, rows, classes)
    end = max(float(one.end or 0) for one in predictions)
    axes[-1].set_xlim(0, end)
    axes[-1].set_xlabel("seconds")
    if thumbnails:
        _draw_thumbnails(axes[0], thumbnails, end)
    title = _describe(predictions, len(rows), len(classes), task)
    # names may have dollar signs, which are not formulas
    figure.suptitle(title, fontsize=11, x=0.02, ha="left", parse_math=False)
    with warnings.catch_warnings(), atomic.replacing(path) as partial:
        warnings.simplefilter("ignore")  # about characters that the font lacks: drawn as boxes
        figure.savefig(partial, dpi=110)


def _make_figure(rows: int, task: Task, *, has_frames: bool) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with room for the rows, and its axes: the frames above, if there are any."""
    height = 1.5 + 1.4 * has_frames + (3.0 if task == "regression" else 0.32 * rows + 0.6)
    figure = Figure(figsize=(13, height), layout="constrained")
    ratios = [1.2, height - 2.6] if has_frames else [1.0]
    axes = figure.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    return figure, list(axes)


def _describe(predictions: Sequence[Prediction], rows: int, classes: int, task: Task) -> str:
    first = predictions[0]
    seconds = float(first.end or 0) - float(first.start or 0)
    many = f"{len(predictions):,} window{'s' if len(predictions) > 1 else ''}"
    title = f"{printable(Path(first.video).name)}: {many} of {seconds:g} s"
    if rows == classes:
        return title
    if task == "regression":
        return f"{title}; the first {rows} of {classes:,} values"
    return f"{title}; the {rows} most frequent of {classes:,} classes"


def _choose_rows(score_WK: NDArray[np.float32], task: Task) -> list[int]:
    """Return the classes to draw: most often first in a window, then with the highest mean."""
    if task == "regression":
        return list(range(min(score_WK.shape[1], len(COLOURS))))
    firsts_K = np.bincount(score_WK.argmax(axis=1), minlength=score_WK.shape[1])
    order = np.lexsort((-score_WK.mean(axis=0), -firsts_K))
    return [int(k) for k in order[:MAX_ROWS]]


def _edges(predictions: Sequence[Prediction]) -> tuple[list[float], list[int]]:
    """Return the edges of the columns of a picture, and the window of each; -1 for a gap.

    Overlapping windows share the time between their middles.
    """
    starts = [float(one.start or 0) for one in predictions]
    ends = [float(one.end or 0) for one in predictions]
    edges, columns = [starts[0]], [0]
    for number in range(1, len(starts)):
        if starts[number] > ends[number - 1]:
            edges += [ends[number - 1], starts[number]]
            columns += [-1, number]
        else:
            edges.append((starts[number] + ends[number - 1]) / 2)
            columns.append(number)
    return [*edges, ends[-1]], columns


def _draw_heat(
    figure: Figure,
    axes: Axes,
    predictions: Sequence[Prediction],
    score_WK: NDArray[np.float32],
    rows: Sequence[int],
    classes: Sequence[str],
) -> None:
    edges, columns = _edges(predictions)
    heat_RW = np.array([[np.nan if w < 0 else score_WK[w, k] for w in columns] for k in rows])
    mesh = axes.pcolormesh(edges, np.arange(len(rows) + 1), heat_RW, cmap="Blues", vmin=0, vmax=1)
    firsts_W = score_WK.argmax(axis=1)
    for row, k in enumerate(rows):
        marked = [place for place, w in enumerate(columns) if w >= 0 and firsts_W[w] == k]
        lefts, rights = [edges[place] for place in marked], [edges[place + 1] for place in marked]
        axes.hlines([row + 0.93] * len(marked), lefts, rights, color=MARK, lw=2.5)
    axes.set_yticks(np.arange(len(rows)) + 0.5, [_shorten(classes[k]) for k in rows], fontsize=9)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(rows), 0)
    axes.tick_params(axis="y", length=0)
    axes.set_facecolor("#e5e7eb")  # of gaps between windows
    axes.hlines(range(1, len(rows)), 0, edges[-1], color="white", lw=1)
    figure.colorbar(mesh, ax=axes, label="probability", pad=0.01, aspect=max(8, 2 * len(rows)))
    mark = Line2D([], [], color=MARK, lw=2.5, label="most probable class")
    axes.legend(handles=[mark], loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)


def _draw_values(
    axes: Axes,
    predictions: Sequence[Prediction],
    score_WK: NDArray[np.float32],
    rows: Sequence[int],
    classes: Sequence[str],
) -> None:
    middles = [(float(one.start or 0) + float(one.end or 0)) / 2 for one in predictions]
    for k in rows:
        axes.plot(middles, score_WK[:, k], color=COLOURS[k], marker=".", label=_shorten(classes[k]))
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9, ncols=len(rows)
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_thumbnails(axes: Axes, thumbnails: Sequence[tuple[float, Frames]], end: float) -> None:
    """Draw frames side by side; each stands below its time, in an equal part of the duration."""
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    width = 1 / len(thumbnails)
    for number, (time, frame) in enumerate(thumbnails):
        inset = axes.inset_axes((number * width, 0.0, width * 0.96, 0.85))
        inset.imshow(frame)
        inset.set_anchor("S")
        inset.set_axis_off()
        inset.set_title(f"{time:.1f} s", fontsize=8, color="#475569", pad=2)


def _shorten(name: str) -> str:
    text = printable(name)
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 3]}..."

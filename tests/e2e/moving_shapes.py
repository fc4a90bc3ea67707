"""Generated videos for tasks that are not one class per video: shapes that appear, and a speed.

Shapes: T frames, H W pixels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.data.make_clips import write_clip

SIDE, FRAMES = 32, 8
SHAPES = ("square", "ring", "cross")
Clip = NDArray[np.uint8]
Sample = Callable[[np.random.Generator], tuple[Clip, Sequence[str]]]
"""Draws a clip and its label cells."""


def draw_shapes(rng: np.random.Generator) -> tuple[Clip, Sequence[str]]:
    """Return a clip with any of the three shapes, drifting slowly, and 0 or 1 for each shape."""
    is_present = rng.integers(0, 2, len(SHAPES))
    clip_THW3 = _draw_background(rng)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for shape in np.flatnonzero(is_present):
        start, step = rng.uniform(7, SIDE - 7, 2), rng.uniform(-0.6, 0.6, 2)
        colour = rng.uniform(150, 255, 3)
        for number, frame in enumerate(clip_THW3):
            y, x = np.abs([rows, columns] - (start + number * step)[:, None, None])
            inside = (
                np.maximum(y, x) < 4.5,
                np.abs(np.hypot(y, x) - 4.5) < 1.3,
                (np.minimum(y, x) < 1.2) & (np.maximum(y, x) < 6),
            )
            frame[inside[shape]] = colour
    return _round(clip_THW3), [str(value) for value in is_present]


def draw_moving_disc(rng: np.random.Generator) -> tuple[Clip, Sequence[str]]:
    """Return a clip of a disc that moves in any direction, and its speed in pixels per frame."""
    speed, angle = rng.uniform(0, 2.5), rng.uniform(0, 2 * np.pi)
    step = speed * np.array([np.sin(angle), np.cos(angle)])
    middle, colour = SIDE / 2 + rng.uniform(-3, 3, 2), rng.uniform(150, 255, 3)
    clip_THW3 = _draw_background(rng)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, frame in enumerate(clip_THW3):
        y, x = middle + step * (number - (FRAMES - 1) / 2)
        frame[np.hypot(rows - y, columns - x) < 4] = colour
    return _round(clip_THW3), [f"{speed:.4f}"]


def write_videos(
    folder: Path, sample: Sample, names: Sequence[str], *, train: int, val: int
) -> Path:
    """Write videos and a table of their labels, in the columns `names`; return the table."""
    rng = np.random.default_rng(0)
    lines = [",".join(["path", *names, "split"])]
    for number in range(train + val):
        clip_THW3, cells = sample(rng)
        write_clip(folder / f"{number:04d}.mp4", clip_THW3)
        split = "train" if number < train else "val"
        lines.append(",".join([f"{number:04d}.mp4", *cells, split]))
    table = folder / "list.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def _draw_background(rng: np.random.Generator) -> NDArray[np.float64]:
    return 40 + rng.normal(0, 6, (FRAMES, SIDE, SIDE, 1)).repeat(3, axis=3)


def _round(clip_THW3: NDArray[np.float64]) -> Clip:
    return clip_THW3.clip(0, 255).astype(np.uint8)

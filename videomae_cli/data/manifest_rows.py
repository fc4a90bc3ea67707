"""The rows of `manifest.csv`: one video each, written and checked.

The cell `label` of a video depends on the task of the data set: `single-label`: the number of its
class; `multi-label`: the numbers of its classes in ascending order, as `0|3`, and `-` for a video
with none of the classes; `regression`: its values, as `1.5` or `1.5|2.0`. It is empty for a video
without a label.

Shapes: K classes or values.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.errors import DataError

COLUMNS = ("path", "label", "split", "frames", "fps", "width", "height", "decoder")
SPLITS = ("train", "val", "test")
SEPARATOR, NO_CLASS = "|", "-"


class Video(NamedTuple):
    """One video of a data set: a row of `manifest.csv`; width and height in pixels, rotated."""

    path: str
    """As written in the list, relative to the root or absolute."""
    label: int | None
    """`single-label` only; None if the data set, or its test set, is not labelled."""
    split: str
    frames: int
    fps: float
    width: int
    height: int
    decoder: str
    """The decoder that reads it correctly, a key of `DECODERS`."""
    target: tuple[float, ...] | None = None
    """`multi-label`: 1.0 for each of the K classes that the video has, else 0.0; `regression`: its
    K values; None for `single-label`, and for a video without a label."""

    @property
    def is_labelled(self) -> bool:
        """Whether the label or the target of the video is known."""
        return self.label is not None or self.target is not None


def format_row(video: Video, task: Task) -> tuple[object, ...]:
    """Return the cells of a video's row."""
    _, _, *others = video[: len(COLUMNS)]
    label: object = video.label
    if task != "single-label":
        label = None if video.target is None else _format_target(video.target, task)
    return (video.path, label, *others)


def _format_target(target_K: Sequence[float], task: Task) -> str:
    if task == "regression":
        return SEPARATOR.join(repr(float(value)) for value in target_K)
    numbers = [str(number) for number, value in enumerate(target_K) if value]
    return SEPARATOR.join(numbers) or NO_CLASS


def parse_row(row: Sequence[str], classes: Sequence[str] | None, task: Task, where: str) -> Video:
    """Return the video of a row; a DataError that begins with `where` if a cell is wrong."""
    if len(row) != len(COLUMNS):
        raise DataError(f"{where}: {len(row)} cells, expected {len(COLUMNS)}")
    path, label, split, frames, fps, width, height, decoder = row
    try:
        number, target = _parse_label(label, len(classes or ()), task)
        measured = int(frames), float(fps), int(width), int(height)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    video = Video(path, number, split, *measured, decoder, target)
    problem = _find_problem(video, classes)
    if problem:
        raise DataError(f"{where}: {problem}")
    return video


def _parse_label(text: str, count: int, task: Task) -> tuple[int | None, tuple[float, ...] | None]:
    """Return label and target of a cell; a ValueError says what is wrong with it."""
    if not text:
        return None, None
    if task == "single-label":
        return int(text), None
    if task == "regression":
        values = tuple(float(part) for part in text.split(SEPARATOR))
        if len(values) != count or not all(map(math.isfinite, values)):
            raise ValueError(f"label {text!r} is not {count} finite values")
        return None, values
    numbers = [] if text == NO_CLASS else [int(part) for part in text.split(SEPARATOR)]
    for number in numbers:
        if not 0 <= number < count:
            raise ValueError(_describe_range(number, count))
    return None, tuple(float(number in numbers) for number in range(count))


def _describe_range(label: int, count: int) -> str:
    return f"label {label} is out of range: classes.json contains {count} classes"


def _find_problem(video: Video, classes: Sequence[str] | None) -> str:
    if not video.path or not video.decoder:
        return "the path or the decoder is empty"
    if video.split not in SPLITS:
        return f"split {video.split!r} is not one of {', '.join(SPLITS)}"
    if min(video.frames, video.width, video.height) < 1:
        sizes = f"{video.frames}, {video.width}, {video.height}"
        return f"frames, width and height must be at least 1, got {sizes}"
    if not (math.isfinite(video.fps) and video.fps >= 0):
        return f"fps {video.fps} is not a frame rate"
    if video.label is not None and classes is None:
        return "a label, but there is no classes.json"
    if not video.is_labelled and classes is not None and video.split != "test":
        return "no label"
    if video.label is not None and classes is not None and not 0 <= video.label < len(classes):
        return _describe_range(video.label, len(classes))
    return ""

"""The rows of `manifest.csv`: one video each, written and checked.

The cell `label` of a video depends on the task of the data set: `single-label`: the number of its
class; `multi-label`: the numbers of its classes in ascending order, as `0|3`, and `-` for a video
with none of the classes; `regression`: its values, as `1.5` or `1.5|2.0`. It is empty for a video
without a label.

A row may be a segment: the frames of its file from `start` up to, and without, `end`, counted from
0; `frames` is their number. Both cells are empty for a whole file. A manifest without segments does
not have these two columns.

Shapes: K classes or values.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from videomae_cli.errors import DataError

if TYPE_CHECKING:  # a process that reads one video needs no recipes
    from videomae_cli.config.model import Task

COLUMNS = ("path", "label", "split", "frames", "fps", "width", "height", "decoder")
SEGMENT_COLUMNS = (*COLUMNS, "start", "end")
SPLITS = ("train", "val", "test")
SEPARATOR, NO_CLASS = "|", "-"
SEGMENT_NAME = re.compile(r"(?P<path>.+)#(?P<start>\d+)-\d+", re.DOTALL)


class Video(NamedTuple):
    """One video of a data set: a row of `manifest.csv`; width and height in pixels, rotated.

    It is a file, a folder of frames, or a segment of one of them. Its frames are numbered from 0,
    its first one.
    """

    path: str
    """Path of the file, as written in the list, relative to the root or absolute."""
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
    start: int | None = None
    """Number of the first frame of a segment in its file; None for a whole file."""

    @property
    def name(self) -> str:
        """Return what identifies the video: its path, for a segment with `#start-end`."""
        if self.start is None:
            return self.path
        return f"{self.path}#{self.start}-{self.start + self.frames}"

    @property
    def is_labelled(self) -> bool:
        """Whether the label or the target of the video is known."""
        return self.label is not None or self.target is not None


def split_name(name: str) -> tuple[str, int]:
    """Return the path and the number of the first frame of a segment, from `Video.name`.

    The name of a whole file is returned as it is, with 0.
    """
    match = SEGMENT_NAME.fullmatch(name)
    return (match["path"], int(match["start"])) if match else (name, 0)


def check_names(videos: Iterable[Video]) -> None:
    """Raise a DataError if two videos have the same name."""
    seen: set[str] = set()
    for video in videos:
        if video.name in seen:
            raise DataError(f"{video.name!r} is twice in the data set", "list it once")
        seen.add(video.name)


def format_row(video: Video, task: "Task", *, has_segments: bool = False) -> tuple[object, ...]:
    """Return the cells of a video's row, with those of `SEGMENT_COLUMNS` if `has_segments`."""
    _, _, *others = video[: len(COLUMNS)]
    label: object = video.label
    if task != "single-label":
        label = None if video.target is None else _format_target(video.target, task)
    if not has_segments:
        return (video.path, label, *others)
    span = (None, None) if video.start is None else (video.start, video.start + video.frames)
    return (video.path, label, *others, *span)


def _format_target(target_K: Sequence[float], task: "Task") -> str:
    if task == "regression":
        return SEPARATOR.join(repr(float(value)) for value in target_K)
    numbers = [str(number) for number, value in enumerate(target_K) if value]
    return SEPARATOR.join(numbers) or NO_CLASS


def parse_row(row: Sequence[str], classes: Sequence[str] | None, task: "Task", where: str) -> Video:
    """Return the video of a row of `COLUMNS` or `SEGMENT_COLUMNS`.

    A DataError that begins with `where` if a cell is wrong.
    """
    path, label, split, frames, fps, width, height, decoder, *span = row
    try:
        number, target = _parse_label(label, len(classes or ()), task)
        measured = int(frames), float(fps), int(width), int(height)
        start = _parse_span(span, measured[0])
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    video = Video(path, number, split, *measured, decoder, target, start)
    problem = _find_problem(video, classes)
    if problem:
        raise DataError(f"{where}: {problem}")
    return video


def _parse_label(
    text: str, count: int, task: "Task"
) -> tuple[int | None, tuple[float, ...] | None]:
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


def _parse_span(cells: Sequence[str], frames: int) -> int | None:
    """Return the start of a segment; a ValueError if its end does not fit to its frames."""
    if not any(cells):
        return None
    start, end = map(int, cells)
    if start < 0 or end - start != frames:
        raise ValueError(f"start {start} and end {end} are not those of {frames} frames")
    return start


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

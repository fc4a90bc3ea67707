"""The table of videos that training reads: written by `prepare`, and checked strictly when read.

A prepared directory contains `manifest.csv` (one row per video), `classes.json` (class names;
absent without labels), `frame_times.jsonl` (when each frame is shown, of videos whose frame rate
does not give it; absent without any), `dataset.json` (data root, counts, versions, digests; written
last) and `rejected.csv`. The digest covers the rows and the class names, but not the root.
"""

import csv
import hashlib
import io
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.config.model import Task
from videomae_cli.data.manifest_rows import (
    COLUMNS,
    SEGMENT_COLUMNS,
    SPLITS,
    Video,
    format_row,
    parse_row,
)
from videomae_cli.errors import DataError
from videomae_cli.report import encodable, format_json

__all__ = ["COLUMNS", "SPLITS", "Manifest", "Video", "read_manifest", "write_manifest"]

MANIFEST, CLASSES, DATASET = "manifest.csv", "classes.json", "dataset.json"
FRAME_TIMES = "frame_times.jsonl"
Seconds = NDArray[np.float64]
Times = Mapping[str, Seconds]
"""Seconds from the first frame to each frame of a file, by its path, unless `fps` gives them."""
NO_TIMES: Times = {}
# file names are bytes on Linux: names that are not UTF-8 must survive writing and reading
ENCODING, ENCODING_ERRORS = "utf-8", "surrogateescape"
PREPARE_HINT = "run: videomae prepare SOURCE --out {}"
logger = logging.getLogger("videomae")


class Manifest(NamedTuple):
    """All videos of a data set."""

    root: Path
    """The directory that relative paths are relative to."""
    videos: tuple[Video, ...]
    classes: tuple[str, ...] | None
    """Class names by label, or names of the values of a regression, `encodable`; None if the data
    set is not labelled."""
    digest: str
    """SHA-256 of the rows, the class names and the `times`, hexadecimal."""
    folder: Path | None = None
    """The prepared directory; None if there is none."""
    times_digest: str | None = None
    """SHA-256 of `frame_times.jsonl`; "" without such videos, None if times were not measured."""
    times: Times = NO_TIMES
    """Read by `time_sampling.with_times` if clips are sampled in time."""
    task: Task = "single-label"
    """What the labels are: one class, any number of classes, or values."""

    def split(self, name: str) -> tuple[Video, ...]:
        """Return the videos of "train", "val" or "test", in the order of the manifest."""
        return tuple(video for video in self.videos if video.split == name)

    def video_path(self, video: Video) -> Path:
        """Return the path of the file; an absolute `video.path` is used as it is."""
        return self.root / video.path


def write_manifest(
    directory: Path,
    *,
    root: Path,
    videos: Sequence[Video],
    classes: Sequence[str] | None,
    facts: Mapping[str, object],
    times: Mapping[str, Sequence[float]] = {},
) -> Manifest:
    """Write the files of a prepared directory, each atomically, dataset.json last.

    `facts` is the content of dataset.json (counts, versions, the task if it is not `single-label`)
    without root and digests; `times` are those of the frames of videos whose rate does not give
    them, by path. An OSError names the file that cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    root = Path(os.path.abspath(root))  # noqa: PTH100  (resolve() would replace the user's links)
    names = None if classes is None else tuple(classes)
    task = _read_task(facts, directory)
    text = _table_text(videos, task)
    digest = _digest(text, names, task)
    write_text(directory / MANIFEST, text)
    if names is None:
        (directory / CLASSES).unlink(missing_ok=True)
    else:
        write_text(directory / CLASSES, format_json(list(names), indent=2) + "\n")
    digests = {"digest": digest, "times_digest": _write_times(directory / FRAME_TIMES, times)}
    content = {"root": str(root), **digests, **facts}
    write_text(directory / DATASET, format_json(content, indent=2) + "\n")
    classes = _encodable(names)
    times_digest = digests["times_digest"]
    return Manifest(root, tuple(videos), classes, digest, directory, times_digest, NO_TIMES, task)


def read_manifest(directory: Path) -> Manifest:
    """Read a prepared directory; a DataError names the file and the line that is wrong."""
    facts = _read_json(directory / DATASET, directory)
    if not isinstance(facts, dict) or not isinstance(facts.get("root"), str):
        raise DataError(f"{directory / DATASET}: no 'root'", PREPARE_HINT.format(directory))
    classes = _read_classes(directory)
    path = directory / MANIFEST
    task = _read_task(facts, directory)
    videos = tuple(_read_rows(path, directory, classes, task))
    digest = _digest(_table_text(videos, task), classes, task)
    if facts.get("digest") != digest:
        logger.warning("%s was edited after videomae prepare wrote it; using the edited file", path)
    times_digest = facts["times_digest"] if isinstance(facts.get("times_digest"), str) else None
    root, names = Path(facts["root"]), _encodable(classes)
    return Manifest(root, videos, names, digest, directory, times_digest, NO_TIMES, task)


def _read_task(facts: Mapping[str, object], directory: Path) -> Task:
    value = facts.get("task", "single-label")
    if value not in get_args(Task):
        raise DataError(
            f"{directory / DATASET}: task: {value!r} is not one of {', '.join(get_args(Task))}",
            PREPARE_HINT.format(directory),
        )
    return cast(Task, value)


def _write_times(path: Path, times: Mapping[str, Sequence[float]]) -> str:
    """Write or remove frame_times.jsonl; return its SHA-256, "" without times."""
    if not times:
        path.unlink(missing_ok=True)
        return ""
    # ASCII: a name that is not UTF-8 is written with escapes, which JSON reads back
    lines = [
        json.dumps({"path": name, "times": [round(second, 6) for second in seconds]})
        for name, seconds in times.items()
    ]
    text = "\n".join(lines) + "\n"
    write_text(path, text)
    return hashlib.sha256(text.encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; bytes of file names that are not UTF-8 are kept."""
    atomic.write_text(path, text, errors=ENCODING_ERRORS)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV: None as an empty cell, and floats with repr."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()


def _table_text(videos: Sequence[Video], task: Task) -> str:
    has_segments = any(video.start is not None for video in videos)
    rows = (format_row(video, task, has_segments=has_segments) for video in videos)
    return csv_text(SEGMENT_COLUMNS if has_segments else COLUMNS, rows)


def _encodable(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return class names that every file of a run can contain; earlier versions took any name."""
    return None if names is None else tuple(map(encodable, names))


def _digest(text: str, classes: tuple[str, ...] | None, task: Task) -> str:
    content = text + json.dumps(classes) + ("" if task == "single-label" else task)
    return hashlib.sha256(content.encode(ENCODING, ENCODING_ERRORS)).hexdigest()


def _read_text(path: Path, directory: Path) -> str:
    try:
        with path.open(encoding=ENCODING, errors=ENCODING_ERRORS, newline="") as file:
            return file.read()
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "is missing" if is_missing else f"cannot be read: {error}"
        raise DataError(
            f"{directory} is not a prepared data set: {path.name} {reason}",
            PREPARE_HINT.format(directory),
        ) from error


def _read_json(path: Path, directory: Path) -> object:
    try:
        value: object = json.loads(_read_text(path, directory))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not JSON: {error.msg}", PREPARE_HINT.format(directory)
        ) from error
    return value


def _read_classes(directory: Path) -> tuple[str, ...] | None:
    path = directory / CLASSES
    if not path.exists():
        return None
    names = _read_json(path, directory)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: expected a list of names", PREPARE_HINT.format(directory))
    return tuple(names)


def _read_rows(
    path: Path, directory: Path, classes: tuple[str, ...] | None, task: Task
) -> Iterator[Video]:
    reader = csv.reader(io.StringIO(_read_text(path, directory), newline=""), strict=True)
    seen: dict[str, int] = {}
    try:
        header = tuple(next(reader, ()))
        if header not in (COLUMNS, SEGMENT_COLUMNS):
            raise DataError(f"{path}:1: expected the header {','.join(COLUMNS)}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if len(row) != len(header):
                raise DataError(f"{where}: {len(row)} cells, expected {len(header)}")
            video = parse_row(row, classes, task, where)
            if video.name in seen:
                raise DataError(f"{where}: {video.name!r} is already in line {seen[video.name]}")
            seen[video.name] = reader.line_num
            yield video
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error

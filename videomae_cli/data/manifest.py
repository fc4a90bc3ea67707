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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.config.model import Task
from videomae_cli.data.decode import SHARD_INDEX
from videomae_cli.data.manifest_rows import (
    COLUMNS,
    SEGMENT_COLUMNS,
    SPLITS,
    Video,
    check_names,
    format_row,
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
    videos: Sequence[Video]
    """A tuple, or a `VideoTable` if they were read from a file that was not edited."""
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

    def split(self, name: str) -> Sequence[Video]:
        """Return the videos of "train", "val" or "test", in the order of the manifest."""
        from videomae_cli.data.manifests.video_table import VideoTable

        if isinstance(self.videos, VideoTable):
            return self.videos.split(name)
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

    Raises:
        DataError: Two videos have the same name.
    """
    check_names(videos)
    directory.mkdir(parents=True, exist_ok=True)
    root = Path(os.path.abspath(root))  # noqa: PTH100  (resolve() would replace the user's links)
    names = None if classes is None else tuple(classes)
    task = _read_task(facts, directory)
    text = _table_text(videos, task)
    digest = _digest(_encode(text), names, task)
    write_text(directory / MANIFEST, text)
    if names is None:
        (directory / CLASSES).unlink(missing_ok=True)
    else:
        write_text(directory / CLASSES, format_json(list(names), indent=2) + "\n")
    digests = {"digest": digest, "times_digest": _write_times(directory / FRAME_TIMES, times)}
    place = directory.absolute()
    # what lies in the directory itself can be moved with it
    stored = root.relative_to(place) if root in (place, place / SHARD_INDEX) else root
    content = {"root": str(stored), **digests, **facts}
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
    videos, digest = _read_videos(path, directory, classes, task, facts.get("digest"))
    times_digest = facts["times_digest"] if isinstance(facts.get("times_digest"), str) else None
    root, names = directory.absolute() / facts["root"], _encodable(classes)
    return Manifest(root, videos, names, digest, directory, times_digest, NO_TIMES, task)


def _read_videos(
    path: Path, directory: Path, classes: tuple[str, ...] | None, task: Task, written: object
) -> tuple[Sequence[Video], str]:
    """Return the videos and the digest; an edited file is checked row by row."""
    content = _read_bytes(path, directory)
    if _digest(content, classes, task) == written:
        from videomae_cli.data.manifests.video_table import index_rows

        table = index_rows(content, classes, task, path, (ENCODING, ENCODING_ERRORS))
        return table, written
    from videomae_cli.data.manifests.edited_file import read_rows

    videos = tuple(read_rows(content.decode(ENCODING, ENCODING_ERRORS), path, classes, task))
    digest = _digest(_encode(_table_text(videos, task)), classes, task)
    if digest != written:
        logger.warning("%s was edited after videomae prepare wrote it; using the edited file", path)
    return videos, digest


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


def _digest(table: bytes, classes: tuple[str, ...] | None, task: Task) -> str:
    digest = hashlib.sha256(table)
    digest.update(_encode(json.dumps(classes) + ("" if task == "single-label" else task)))
    return digest.hexdigest()


def _encode(text: str) -> bytes:
    return text.encode(ENCODING, ENCODING_ERRORS)


def _read_bytes(path: Path, directory: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "is missing" if is_missing else f"cannot be read: {error}"
        raise DataError(
            f"{directory} is not a prepared data set: {path.name} {reason}",
            PREPARE_HINT.format(directory),
        ) from error


def _read_json(path: Path, directory: Path) -> object:
    try:
        value: object = json.loads(_read_bytes(path, directory).decode(ENCODING, ENCODING_ERRORS))
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

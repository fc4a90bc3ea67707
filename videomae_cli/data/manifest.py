"""The one table of videos that training reads, written by `prepare`, strict when read.

A prepared directory holds `manifest.csv` (a row per video), `classes.json` (class names; absent
when nothing is labelled), `dataset.json` (where the videos lie, counts, versions, digest; written
last) and `rejected.csv`. The digest covers the rows and the class names but not the root: the same
data under another root is the same data.
"""

import csv
import hashlib
import io
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli import atomic
from videomae_cli.errors import DataError

COLUMNS = ("path", "label", "split", "frames", "fps", "width", "height", "decoder")
SPLITS = ("train", "val", "test")
MANIFEST, CLASSES, DATASET = "manifest.csv", "classes.json", "dataset.json"
# file names are bytes on Linux: whatever the disk holds must survive the round trip
ENCODING, ENCODING_ERRORS = "utf-8", "surrogateescape"
PREPARE_HINT = "run: videomae prepare SOURCE --out {}"
logger = logging.getLogger("videomae")


class Video(NamedTuple):
    """One readable video.

    `path` is as written, relative to the root or absolute; `frames` were counted by decoding;
    `width` and `height` are pixels after rotation; `decoder` is the one that reads it right.
    """

    path: str
    label: int | None
    split: str
    frames: int
    fps: float
    width: int
    height: int
    decoder: str


class Manifest(NamedTuple):
    """All videos of a data set, in file order. `classes` is None when nothing is labelled."""

    root: Path
    videos: tuple[Video, ...]
    classes: tuple[str, ...] | None
    digest: str

    def split(self, name: str) -> tuple[Video, ...]:
        """Return the videos of "train", "val" or "test", in manifest order; may be empty."""
        return tuple(video for video in self.videos if video.split == name)

    def video_path(self, video: Video) -> Path:
        """Return where the file lies; an absolute `path` stays as it is."""
        return self.root / video.path


def write_manifest(
    directory: Path,
    *,
    root: Path,
    videos: Sequence[Video],
    classes: Sequence[str] | None,
    about: Mapping[str, object],
) -> Manifest:
    """Write manifest.csv, classes.json and dataset.json, each atomically, dataset.json last.

    Args:
        directory: The prepared directory; made when missing.
        root: What relative paths are relative to; stored absolute.
        videos: The rows, in the order that training will number them.
        classes: Names by label, or None when nothing is labelled.
        about: Further facts for dataset.json (counts, versions); may not set root or digest.
    """
    directory.mkdir(parents=True, exist_ok=True)
    root = Path(os.path.abspath(root))  # noqa: PTH100  (resolve() would replace the user's links)
    names = None if classes is None else tuple(classes)
    digest = _digest(_csv_text(videos), names)
    write_text(directory / MANIFEST, _csv_text(videos))
    if names is None:
        (directory / CLASSES).unlink(missing_ok=True)
    else:
        write_text(directory / CLASSES, _json_text(list(names)))
    facts = {"root": str(root), "digest": digest, **about}
    write_text(directory / DATASET, _json_text(facts))
    return Manifest(root, tuple(videos), names, digest)


def read_manifest(directory: Path) -> Manifest:
    """Read a prepared directory.

    Raises:
        DataError: A file is missing or damaged, or a row is wrong (named by file and line).
    """
    facts = _read_json(directory / DATASET, directory)
    if not isinstance(facts, dict) or not isinstance(facts.get("root"), str):
        raise DataError(f"{directory / DATASET}: no 'root'", PREPARE_HINT.format(directory))
    classes = _read_classes(directory)
    path = directory / MANIFEST
    videos = tuple(_read_rows(path, directory, classes))
    digest = _digest(_csv_text(videos), classes)
    if facts.get("digest") != digest:
        logger.warning("%s has been edited since it was prepared; using it as it is now", path)
    return Manifest(Path(facts["root"]), videos, classes, digest)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; undecodable bytes of file names survive."""
    atomic.write_text(path, text, errors=ENCODING_ERRORS)


def _csv_text(videos: Sequence[Video]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(videos)  # csv writes None as an empty cell and floats with repr
    return buffer.getvalue()


def _json_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _digest(text: str, classes: tuple[str, ...] | None) -> str:
    content = text + json.dumps(classes)
    return hashlib.sha256(content.encode(ENCODING, ENCODING_ERRORS)).hexdigest()


def _read_text(path: Path, directory: Path) -> str:
    try:
        with path.open(encoding=ENCODING, errors=ENCODING_ERRORS, newline="") as file:
            return file.read()
    except OSError as error:
        reason = (
            "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        )
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


def _read_rows(path: Path, directory: Path, classes: tuple[str, ...] | None) -> Iterator[Video]:
    reader = csv.reader(io.StringIO(_read_text(path, directory), newline=""), strict=True)
    seen: dict[str, int] = {}
    try:
        if tuple(next(reader, ())) != COLUMNS:
            raise DataError(f"{path}:1: expected the header {','.join(COLUMNS)}")
        for row in reader:
            video = _row(row, classes, f"{path}:{reader.line_num}")
            if video.path in seen:
                raise DataError(
                    f"{path}:{reader.line_num}: {video.path!r} is also in line {seen[video.path]}"
                )
            seen[video.path] = reader.line_num
            yield video
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _row(row: Sequence[str], classes: tuple[str, ...] | None, where: str) -> Video:
    if len(row) != len(COLUMNS):
        raise DataError(f"{where}: {len(row)} cells, expected {len(COLUMNS)}")
    cells = dict(zip(COLUMNS, row, strict=True))
    try:
        video = Video(
            path=cells["path"],
            label=int(cells["label"]) if cells["label"] else None,
            split=cells["split"],
            frames=int(cells["frames"]),
            fps=float(cells["fps"]),
            width=int(cells["width"]),
            height=int(cells["height"]),
            decoder=cells["decoder"],
        )
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    problem = _problem(video, classes)
    if problem:
        raise DataError(f"{where}: {problem}")
    return video


def _problem(video: Video, classes: tuple[str, ...] | None) -> str:
    if not video.path or not video.decoder:
        return "the path or the decoder is empty"
    if video.split not in SPLITS:
        return f"split {video.split!r} is not one of {', '.join(SPLITS)}"
    if min(video.frames, video.width, video.height) < 1:
        return (
            f"frames, width and height must be at least 1, got {video[3]}, {video[5]}, {video[6]}"
        )
    if not (math.isfinite(video.fps) and video.fps >= 0):
        return f"fps {video.fps} is not a rate"
    if (video.label is None) != (classes is None):
        return "a label without classes.json" if classes is None else "no label"
    if video.label is not None and classes is not None and not 0 <= video.label < len(classes):
        return f"label {video.label} is out of range: classes.json names {len(classes)} classes"
    return ""

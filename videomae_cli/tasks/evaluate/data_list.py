"""Evaluate on a list of videos as it is, without a prepared directory.

The list is prepared into a cache directory of the user, so that its videos are checked and decoded
exactly as those of `videomae prepare`, and only once: later evaluations check that they have not
changed.
"""

import csv
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.data.manifest import DATASET, ENCODING, ENCODING_ERRORS, Manifest, read_manifest
from videomae_cli.engine.distributed.lock import wait_for_directory
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared
from videomae_cli.tasks.prepare.rejected import REJECTED
from videomae_cli.units import plural

SPLIT = "test"  # of lists that give none


class RejectedVideo(NamedTuple):
    """A listed video that cannot be used."""

    path: str
    reason: str


class ListedVideos(NamedTuple):
    """The videos of a list."""

    manifest: Manifest
    rejected: tuple[RejectedVideo, ...] = ()
    """Listed videos that are not in the manifest; they count as undecodable."""


def is_prepared(path: Path) -> bool:
    """Return whether a path is a directory that `videomae prepare` wrote, rather than a source."""
    return (path / DATASET).is_file()


def open_list(
    path: Path,
    report: Report,
    *,
    root: Path | None = None,
    label_map: Path | None = None,
    known: Sequence[str] = (),
) -> ListedVideos:
    """Read a list of videos with labels, in any form that `videomae prepare` reads.

    Videos for which the list gives no split, in a column or in its name, are in the split `test`.

    Args:
        path: The list, such as lines of `video_id num_frames label`, or a folder of videos.
        report: Shows the progress of checking new videos, and what was changed.
        root: The directory that the paths of the list are relative to; None: that of the list.
        label_map: The names of the classes, in any form of `--classes`.
        known: The classes of the checkpoint: how many there are, for a list of numbers without a
            label map, which may lack some.

    Raises:
        DataError: The list or the label map is wrong, they do not fit, or no video can be used.
        UsageError: The cache cannot be written.
        Stopped: Ctrl-C; the results so far are kept.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", "give a prepared directory, or a list of videos")
    classes = _choose_classes(path, root, label_map, known)
    folder = _create_cache(path, root)
    options = PrepareOptions(root=root, classes=classes, split=SPLIT, val_fraction=0.0)
    with wait_for_directory(folder):
        write_prepared(path, folder, report, options)
        rejected = read_rejected(folder)
        manifest = read_manifest(folder)
    for video in rejected:
        report.warn(f"{video.path}: {video.reason}")
    report.say(f"{path}: {plural(len(manifest.videos))}, {len(rejected):,} rejected")
    return ListedVideos(manifest, rejected)


def read_rejected(folder: Path) -> tuple[RejectedVideo, ...]:
    """Return the videos that were rejected when a directory was prepared; () if it is not known.

    Raises:
        DataError: `rejected.csv` was edited and is no longer a table of paths and reasons.
    """
    path = folder / REJECTED
    if not path.is_file():
        return ()
    with path.open(encoding=ENCODING, errors=ENCODING_ERRORS, newline="") as file:
        rows = list(csv.reader(file))
    if rows[:1] != [["path", "reason"]] or any(len(row) != 2 for row in rows):
        raise DataError(f"{path} is not a table of path and reason", "prepare the data again")
    return tuple(RejectedVideo(*row) for row in rows[1:])


def _choose_classes(
    path: Path, root: Path | None, label_map: Path | None, known: Sequence[str]
) -> str | None:
    """Return the label map, the number of known classes, or None: those of the list."""
    if label_map is None:
        return str(len(known)) if known and _has_numbers(path, root) else None
    if not label_map.is_file():
        raise DataError(f"{label_map} is not a file", "--label-map takes a file with class names")
    return str(label_map)


def _has_numbers(path: Path, root: Path | None) -> bool:
    """Return whether the labels of a list are numbers."""
    reading = Reading(root=root or (path if path.is_dir() else path.parent))
    listing = scan_layout(path, detect_layout(path, reading).name, reading)
    labels = [entry.label for entry in listing.entries if entry.label is not None]
    return bool(labels) and all(isinstance(label, int) for label in labels)


def _create_cache(path: Path, root: Path | None) -> Path:
    """Create the cache directory of a list and a root; another label map uses the same videos."""
    key = "\0".join(str(part and part.absolute()) for part in (path, root))
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "videomae" / "lists" / f"{path.stem}-{digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{error.filename}: {error.strerror}: the results of checking {path} cannot be kept",
            "set XDG_CACHE_HOME to a directory that can be written, or run: videomae prepare"
            f" {path} --out DIR",
        ) from error
    return folder

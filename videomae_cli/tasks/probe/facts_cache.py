"""Facts about all videos of a prepared data set, stored in it: a second call decodes nothing.

A stored row is valid for the same row of the manifest, size and modification time of the file.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from videomae_cli import atomic
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.data.shards.index import read_stamp
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.probe.video_facts import VERSION, FactsReader, VideoFacts, count_bytes

FILE = "video-facts.npz"
FIELDS = ("metadata", "codec", "motion", "thumbnails")


def read_all_facts(
    manifest: Manifest, videos: Sequence[Video], report: Report, *, workers: int
) -> list[VideoFacts]:
    """Return the facts of each video; those that are not stored are read by `workers` processes.

    A video that cannot be read has an error, and is tried again by the next call. If the prepared
    directory cannot be written to, nothing is stored, with a warning.
    """
    path = None if manifest.folder is None else manifest.folder / FILE
    stored = {} if path is None else _read(path)
    keys = [_key(manifest.video_path(video), video) for video in videos]
    missing = [number for number, key in enumerate(keys) if key not in stored]
    if missing:
        reader = FactsReader(videos, manifest.root)
        report.start("reading 16 frames of each video", total=len(missing), unit="video")
        with explain_worker_death():
            items = load_each(reader, missing, workers=workers)
            for number, facts in zip(missing, items, strict=True):
                stored[keys[number]] = facts
                report.advance()
        report.finish()
    if missing and path is not None:
        try:
            _write(path, {key: facts for key, facts in stored.items() if not facts.error})
        except OSError as error:
            report.warn(f"{path} cannot be written ({error.strerror}); the next call decodes again")
    return [stored[key] for key in keys]


def _key(path: Path, video: Video) -> str:
    """Return a digest of everything that the facts of a video depend on."""
    stamp: tuple[int, int] | None = None
    with suppress(DataError, OSError):  # reading the video reports that it is missing
        stamp = count_bytes(path), read_stamp(path)[1]
    content = repr((VERSION, tuple(video._replace(label=None, target=None, split="")), stamp))
    return hashlib.sha256(content.encode()).hexdigest()


def _read(path: Path) -> dict[str, VideoFacts]:
    """Return the stored facts by their keys; nothing if the file is missing or damaged."""
    try:
        with path.open("rb") as content, np.load(content) as file:
            columns = [file[name] for name in FIELDS]
            keys = file["key"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    rows = zip(*columns, strict=True)
    return {key: _facts(row) for key, row in zip(keys, rows, strict=True)}


def _facts(row: tuple[Any, ...]) -> VideoFacts:
    metadata, codec, motion, thumbnails = row
    return VideoFacts(metadata, str(codec), motion, thumbnails)


def _write(path: Path, stored: dict[str, VideoFacts]) -> None:
    if not stored:
        return
    rows = list(stored.values())
    with atomic.replacing(path) as partial:
        np.savez_compressed(
            partial,
            key=np.array(list(stored)),
            metadata=np.stack([facts.metadata for facts in rows]),
            codec=np.array([facts.codec for facts in rows]),
            motion=np.stack([facts.motion for facts in rows]),
            thumbnails=np.stack([facts.thumbnails for facts in rows]),
        )

"""One `.npy` file per video, (rows, D) float32: the form that temporal detection tools read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from videomae_cli import atomic
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.manifest import Video
from videomae_cli.tasks.features.rows import Row
from videomae_cli.tasks.features.shard_files import Floats
from videomae_cli.tasks.features.store import ShardStore

NPY_FOLDER = "npy"


def name_files(videos: Sequence[Video]) -> list[str]:
    """Return a file name for each video, never the same one twice: its path with the suffix .npy.

    Videos that differ in the suffix only keep it (`a.mp4.npy`, `a.avi.npy`). If names are still
    equal, such as of `../a.mp4` and `_/a.mp4`, the later ones get a number (`_/a.mp4-2.npy`).
    """
    short = [_plain(video.name, keep_suffix=False) for video in videos]
    counts = Counter(name.casefold() for name in short)  # some file systems ignore case
    wanted = [
        name if counts[name.casefold()] == 1 else _plain(video.name, keep_suffix=True)
        for name, video in zip(short, videos, strict=True)
    ]
    used: set[str] = set()
    names = []
    for stem in wanted:
        name, number = stem, 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.casefold())
        names.append(f"{NPY_FOLDER}/{name}.npy")
    return names


def write_files(
    store: ShardStore, parts: int, located: Sequence[tuple[str, int, Row]], names: Sequence[str]
) -> None:
    """Write the file of each video from the shards; an OSError if the disk is full.

    Args:
        store: The shards.
        parts: Number of shards.
        located: Shard, position in it, and what it is, of each row, in order.
        names: File name of each video.
    """
    features = _read_rows(store, parts)
    current: int | None = None
    rows: list[Floats] = []
    for _, _, row in located:
        if row.video != current and rows:
            _write(store.folder / names[current or 0], rows)
            rows = []
        current = row.video
        rows.append(next(features))
    if rows:
        _write(store.folder / names[current or 0], rows)


def locate_in_files(
    located: Sequence[tuple[str, int, Row]], names: Sequence[str]
) -> Iterator[tuple[str, int, Row]]:
    """Yield the file of each row, its position there, and the row."""
    counts: Counter[int] = Counter()
    for _, _, row in located:
        yield names[row.video], counts[row.video], row
        counts[row.video] += 1


def _read_rows(store: ShardStore, parts: int) -> Iterator[Floats]:
    for part in range(parts):
        yield from store.format.read(store.path(part))


def _write(path: Path, rows: Sequence[Floats]) -> None:
    with atomic.replacing(path) as partial, partial.open("wb") as file:
        np.save(file, np.stack(rows))


def _plain(name: str, *, keep_suffix: bool) -> str:
    """Return a path below the output directory, without drive, root and `..`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not keep_suffix and path.suffix.lower() in VIDEO_SUFFIXES:
        path = path.with_suffix("")
    parts = [part.replace(":", "_") for part in path.parts if part not in ("/", ".")]
    return "/".join("_" if part == ".." else part for part in parts)

"""The output directory: shards as they are finished, and the key that says what they are of.

Part k of the list of items (`evaluate.parts`) is always the shard `features-00000k`, whoever
computes it. Shards are never deleted: a directory of other features is refused.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from videomae_cli import atomic
from videomae_cli.errors import UsageError
from videomae_cli.tasks.evaluate.parts import KEY, ItemOutput
from videomae_cli.tasks.features.rows import Items
from videomae_cli.tasks.features.shard_files import (
    Floats,
    Shard,
    ShardItem,
    read_npz,
    read_npz_items,
    read_parquet,
    read_parquet_items,
    write_npz,
    write_parquet,
)

_LEFTOVER = re.compile(r"\.features-(\d+)\.partial-\d+\.\w+")
NOTHING = np.zeros(0, np.float32)


class ShardFormat(NamedTuple):
    """How shards are written and read."""

    suffix: str
    write: Callable[[Path, Shard], None]
    read_items: Callable[[Path], tuple[ShardItem, ...] | None]
    read: Callable[[Path], Floats]


NPZ = ShardFormat("npz", write_npz, read_npz_items, read_npz)
FORMATS = {
    "npz": NPZ,
    "parquet": ShardFormat("parquet", write_parquet, read_parquet_items, read_parquet),
    "npy": NPZ,  # until all are there: then the shards become one file per video
}


class ShardStore:
    """Shards in a directory.

    Args:
        folder: The directory.
        key: Everything that the features depend on, as plain data.
        items: What features are computed of.
        format_name: One of `FORMATS`.
        shape: Of a feature: (D,), (N, D) or (t, D).
        share: (k, n): which parts this job computes.
    """

    def __init__(
        self,
        folder: Path,
        key: Mapping[str, Any],
        items: Items,
        format_name: str,
        *,
        shape: tuple[int, ...],
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.folder, self.items = folder, items
        self.format, self._share, self._shape = FORMATS[format_name], share, shape
        self._key: dict[str, Any] = json.loads(json.dumps(key))

    def prepare(self) -> None:
        """Check that the directory is of the same features, or create it.

        Raises:
            UsageError: It contains something else, or cannot be written to.
        """
        found = read_key(self.folder)
        if found is None:
            if self.folder.is_dir() and any(self.folder.glob("[!.]*")):
                raise UsageError(
                    f"--out {self.folder}: contains other files, and no features",
                    "choose a new directory",
                )
            self._write_key()
        elif found != self._key:
            raise UsageError(
                f"--out {self.folder}: contains other features: {describe(found, self._key)}",
                "choose another --out; nothing was changed there",
            )
        job, jobs = self._share
        for path in self.folder.iterdir():
            match = _LEFTOVER.fullmatch(path.name)
            if match and int(match[1]) % jobs == job:  # of a killed process; other jobs may write
                path.unlink(missing_ok=True)

    def _write_key(self) -> None:
        try:
            atomic.write_json(self.folder / KEY, self._key)
        except (FileExistsError, FileNotFoundError) as error:
            time.sleep(1)  # jobs of an array that start at the same moment, on several machines
            if read_key(self.folder) != self._key:
                raise UsageError(
                    f"--out {self.folder} cannot be created: {error.strerror}",
                    "choose the name of a new directory",
                ) from error

    def read(self, part: int) -> list[ItemOutput] | None:
        """Return the items of a shard, without features; None if it has to be computed."""
        items = self.read_items(part)
        if items is None:
            return None
        return [ItemOutput(item.number, NOTHING, item.error) for item in items]

    def read_items(self, part: int) -> list[ShardItem] | None:
        """Return the items of a shard; None if it is not there or damaged."""
        items = self.format.read_items(self.path(part))
        return None if items is None else list(items)

    def write(self, part: int, items: Sequence[ItemOutput]) -> None:
        """Write a shard; an OSError if it cannot be written."""
        good = [item for item in items if not item.error]
        rows = [row for item in good for row in self.items.list_rows(item.number)]
        feature = np.concatenate(
            [np.zeros((0, *self._shape), np.float32), *(item.output for item in good)]
        )
        assert len(feature) == len(rows), f"{len(feature)} features for {len(rows)} rows"
        shard = Shard(
            tuple(self._describe(item) for item in items),
            feature,
            np.array([row.video for row in rows], np.int64),
            np.array([-1 if row.clip is None else row.clip for row in rows], np.int64),
            tuple(self.items.views.videos[row.video].name for row in rows),
        )
        self.format.write(self.path(part), shard)

    def remove(self) -> None:
        """Remove all shards, when files for single videos have replaced them."""
        for path in self.folder.glob(f"features-*.{self.format.suffix}"):
            path.unlink(missing_ok=True)

    def path(self, part: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"features-{part:06d}.{self.format.suffix}"

    def _describe(self, item: ItemOutput) -> ShardItem:
        rows = 0 if item.error else self.items.count_rows(item.number)
        is_bad = not bool(np.isfinite(item.output).all())
        return ShardItem(item.number, rows, item.error, is_bad)


def read_key(folder: Path) -> dict[str, Any] | None:
    """Return what the features in a directory were computed from; None if there are none."""
    try:
        key = json.loads((folder / KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return key if isinstance(key, dict) else None


def describe(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the entries in which two keys differ, in words."""
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    return "; ".join(
        f"{name} {_shorten(found.get(name))}, not {_shorten(wanted.get(name))}" for name in names
    )


def _shorten(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:56] + " ..."

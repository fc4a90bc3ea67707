"""Save the outputs of a long evaluation part by part, so that an interrupted one continues.

A part is a fixed range of items, so it is computed from the same batches whoever computes it and
whenever: the outputs after an interruption, and with any number of processes, are the same.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic

VIEWS_AT_ONCE = 16  # views in a batch of the model
PART_ITEMS = 16  # least number of items that are saved together
KEY = "key.json"


class ItemOutput(NamedTuple):
    """What a model computed for one item, a video or a part of it."""

    number: int
    output: NDArray[np.float32]
    """Of any shape; empty after an error."""
    error: str
    """Why the video could not be decoded; empty if it was."""


def plan_chunks(views: Sequence[int]) -> list[range]:
    """Group consecutive items so that a group has at most `VIEWS_AT_ONCE` views, or one item.

    Args:
        views: Number of views of each item.
    """
    chunks, first, count = [], 0, 0
    for number, more in enumerate(views):
        if number > first and count + more > VIEWS_AT_ONCE:
            chunks.append(range(first, number))
            first, count = number, 0
        count += more
    if first < len(views):
        chunks.append(range(first, len(views)))
    return chunks


def plan_parts(views: Sequence[int]) -> list[list[range]]:
    """Group consecutive chunks into parts of at least `PART_ITEMS` items; the last may have fewer.

    Args:
        views: Number of views of each item.
    """
    parts: list[list[range]] = [[]]
    for chunk in plan_chunks(views):
        if parts[-1] and chunk.start - parts[-1][0].start >= PART_ITEMS:
            parts.append([])
        parts[-1].append(chunk)
    return [part for part in parts if part]


class Store(Protocol):
    """Keeps finished parts."""

    def prepare(self) -> None:
        """Get ready; by one process, before any part is read."""

    def read(self, part: int) -> list[ItemOutput] | None:
        """Return the items of a finished part; None if it has to be computed."""

    def write(self, part: int, items: Sequence[ItemOutput]) -> None:
        """Keep the outputs of a part; an OSError if they cannot be written."""


class PartStore:
    """Finished parts in a directory, which is emptied if they were computed from something else.

    Args:
        folder: The directory; `prepare` creates it.
        key: Everything that the outputs depend on, as plain data.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        self.folder = folder
        self._key = json.loads(json.dumps(key))

    def prepare(self) -> None:
        """Remove parts of another evaluation; by one process, before any part is read.

        Raises:
            OSError: The directory cannot be written to.
        """
        if self._read_key() != self._key:
            shutil.rmtree(self.folder, ignore_errors=True)
            atomic.write_json(self.folder / KEY, self._key)
        for name in ("*.npz", KEY):
            atomic.remove_leftovers(self.folder / name)

    def read(self, part: int) -> list[ItemOutput] | None:
        """Return the outputs of a part; None if it is not there or damaged."""
        try:
            # opened here: np.load does not close a damaged file
            with self._path(part).open("rb") as stream, np.load(stream) as file:
                return list(_unpack(file))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, part: int, items: Sequence[ItemOutput]) -> None:
        """Write the outputs of a part; an OSError if the disk is full."""
        with atomic.replacing(self._path(part)) as path, path.open("wb") as file:
            np.savez(file, **_pack(items))

    def remove(self) -> None:
        """Remove all parts, when the results that they are for have been written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: int) -> Path:
        return self.folder / f"{part:06d}.npz"

    def _read_key(self) -> object:
        try:
            return json.loads((self.folder / KEY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _pack(items: Sequence[ItemOutput]) -> dict[str, Any]:
    outputs = {f"output_{item.number}": item.output for item in items}
    errors = [item.error.encode("utf-8", "surrogateescape").hex() for item in items]
    numbers = np.array([item.number for item in items], dtype=np.int64)
    return {"number": numbers, "error": np.array(errors), **outputs}


def _unpack(file: Mapping[str, NDArray[Any]]) -> Iterator[ItemOutput]:
    for number, error in zip(file["number"].tolist(), file["error"].tolist(), strict=True):
        text = bytes.fromhex(error).decode("utf-8", "surrogateescape")
        yield ItemOutput(number, file[f"output_{number}"], text)

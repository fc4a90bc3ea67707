"""Shard files: the features of a fixed range of items, as npz or parquet, with their rows.

Equal content gives equal bytes. A shard says which items it is of and which of them failed, so it
is enough to continue an interrupted run.

Shapes: R rows, then those of a feature: (D,), (N, D) or (t, D).
"""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.errors import UsageError
from videomae_cli.report import encodable

Floats = NDArray[np.float32]


class ShardItem(NamedTuple):
    """One item of a shard."""

    number: int
    rows: int
    error: str
    """Why the video could not be decoded; empty if it was."""
    has_nonfinite: bool = False
    """Whether one of its features is not a finite number."""


class Shard(NamedTuple):
    """The content of a shard file."""

    items: tuple[ShardItem, ...]
    feature: Floats
    """(R, ...)"""
    video: NDArray[np.int64]
    """(R,) Number of the video in the manifest of features."""
    clip: NDArray[np.int64]
    """(R,) Number of the clip; -1: all."""
    path: tuple[str, ...]
    """R paths."""


def write_npz(path: Path, shard: Shard) -> None:
    """Write a shard as npz; an OSError if the disk is full."""
    arrays: dict[str, Any] = {
        "feature": shard.feature,
        "video": shard.video,
        "clip": shard.clip,
        "path": np.array(shard.path, dtype=np.str_),
        "items": np.array(_to_json(shard.items)),
    }
    with atomic.replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # numpy writes no dates


def read_npz_items(path: Path) -> tuple[ShardItem, ...] | None:
    """Return the items of a shard; None if it is not there or damaged."""
    try:
        # opened here: np.load does not close a damaged file
        with path.open("rb") as stream, np.load(stream) as file:
            return _from_json(str(file["items"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def read_npz(path: Path) -> Floats:
    """Return the features of a shard, (R, ...)."""
    with np.load(path) as file:
        feature: Floats = file["feature"]
        return feature


def write_parquet(path: Path, shard: Shard) -> None:
    """Write a shard as parquet: one row per row, `feature` as a list of fixed length."""
    arrow, parquet = _import_arrow()
    rows, values = len(shard.feature), int(np.prod(shard.feature.shape[1:]))
    flat = arrow.array(np.ascontiguousarray(shard.feature).reshape(-1))
    columns = {
        "path": arrow.array([encodable(name) for name in shard.path], arrow.string()),
        "video": arrow.array(shard.video),
        "clip": arrow.array(shard.clip),
        "feature": arrow.FixedSizeListArray.from_arrays(flat, max(values, 1)),
    }
    facts = {"items": _to_json(shard.items), "shape": json.dumps(shard.feature.shape[1:])}
    if not rows:
        columns["feature"] = arrow.array([], arrow.list_(arrow.float32(), max(values, 1)))
    table = arrow.table(columns).replace_schema_metadata(facts)
    with atomic.replacing(path) as partial:
        # plain bytes of floats: neither a dictionary nor statistics make them smaller
        parquet.write_table(table, partial, use_dictionary=["path"], write_statistics=False)


def read_parquet_items(path: Path) -> tuple[ShardItem, ...] | None:
    """Return the items of a shard; None if it is not there or damaged."""
    arrow, parquet = _import_arrow()
    try:
        content = path.read_bytes()
        return _from_json(parquet.read_schema(io.BytesIO(content)).metadata[b"items"].decode())
    except (OSError, ValueError, KeyError, TypeError, arrow.ArrowException):
        return None


def read_parquet(path: Path) -> Floats:
    """Return the features of a shard, (R, ...)."""
    _, parquet = _import_arrow()
    table = parquet.read_table(path, partitioning=None)
    shape = json.loads(table.schema.metadata[b"shape"])
    flat = table["feature"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    feature: Floats = flat.astype(np.float32, copy=False).reshape(-1, *shape)
    return feature


def _import_arrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "--format parquet needs pyarrow", 'pip install "videomae[parquet]", or --format npz'
        ) from error
    return pyarrow, pyarrow.parquet


def check_format(name: str) -> None:
    """Raise a `UsageError` if a library is missing that a format needs."""
    if name == "parquet":
        _import_arrow()


def _to_json(items: Sequence[ShardItem]) -> str:
    return json.dumps([list(item) for item in items])  # ASCII: any name survives


def _from_json(text: str) -> tuple[ShardItem, ...]:
    rows: list[list[Any]] = json.loads(text)
    return tuple(ShardItem(*row) for row in rows)

"""Weights in several files: an index says which tensor lies in which file of its own folder.

The index is text from outside. A file it names must lie in the folder, and nowhere else.
"""

import json
from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.reading.file_type import AGAIN
from videomae_cli.errors import CheckpointError

MOST_INDEX_BYTES = 16 * 2**20
MOST_SHARDS = 1_000
SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


class Shard(NamedTuple):
    """A file, and the tensors it must hold."""

    file: Path
    names: tuple[str, ...]


def read_index(index: Path) -> tuple[Shard, ...]:
    """Read which file of the index's folder holds what.

    Raises:
        CheckpointError: It is no index, or names a file outside its folder, or one that is missing.
    """
    size = index.stat().st_size
    if size > MOST_INDEX_BYTES:
        raise CheckpointError(f"{index} has {size:,} bytes, more than {MOST_INDEX_BYTES:,}")
    try:
        said = json.loads(index.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{index} is not JSON: {error}", AGAIN) from error
    places = said.get("weight_map") if isinstance(said, dict) else None
    if not isinstance(places, dict) or not places:
        raise CheckpointError(
            f"{index} is JSON, but no index of weights: it has no weight_map",
            "give the file of weights itself, or its folder",
        )
    held: dict[str, list[str]] = {}
    for tensor, name in places.items():
        held.setdefault(str(name), []).append(tensor)
    if len(held) > MOST_SHARDS:
        raise CheckpointError(f"{index} names {len(held):,} files, more than {MOST_SHARDS:,}")
    return tuple(Shard(_inside(index, name), tuple(held[name])) for name in sorted(held))


def _inside(index: Path, name: str) -> Path:
    file = index.parent / name
    is_plain = name == Path(name).name and not set(name) & set("/\\:\0") and name[:1] != "."
    if not is_plain or file.suffix not in SUFFIXES:
        raise CheckpointError(
            f"{index} names {name!r}, which is outside its folder, or no weights; refused"
        )
    if file.resolve().parent != index.parent.resolve():
        raise CheckpointError(
            f"{file} is a link to a file outside its folder; refused",
            "copy the files themselves into one folder: cp -rL FOLDER COPY",
        )
    if not file.is_file():
        raise CheckpointError(f"{file} is missing; {index.name} needs it", AGAIN)
    return file

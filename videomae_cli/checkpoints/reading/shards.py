"""Read the index of weights in several files: which tensor is in which file of the same folder.

The index is untrusted text. Every file that it names must be in its own folder.
"""

import json
from pathlib import Path

from videomae_cli.checkpoints.reading.file_type import DOWNLOAD_AGAIN
from videomae_cli.errors import CheckpointError

MAX_INDEX_BYTES = 16 * 2**20
MAX_SHARDS = 1_000
SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


def read_index(index: Path) -> dict[Path, list[str]]:
    """Return the files that the index names, each with the tensors that it must contain.

    Raises:
        CheckpointError: It is not an index, or it names a file that is missing or outside its
            folder.
    """
    size = index.stat().st_size
    if size > MAX_INDEX_BYTES:
        raise CheckpointError(f"{index} has {size:,} bytes, more than {MAX_INDEX_BYTES:,}")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{index} is not JSON: {error}", DOWNLOAD_AGAIN) from error
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(
            f"{index} is JSON, but not an index of weights: it has no weight_map",
            "give the file of weights itself, or its folder",
        )
    names: dict[str, list[str]] = {}
    for tensor, file_name in weight_map.items():
        names.setdefault(str(file_name), []).append(tensor)
    if len(names) > MAX_SHARDS:
        raise CheckpointError(f"{index} names {len(names):,} files, more than {MAX_SHARDS:,}")
    return {_check_shard(index, name): names[name] for name in sorted(names)}


def _check_shard(index: Path, name: str) -> Path:
    """Return the path of a shard that is a plain file in the folder of the index."""
    file = index.parent / name
    is_plain = name == Path(name).name and not set(name) & set("/\\:\0") and name[:1] != "."
    if not is_plain or file.suffix not in SUFFIXES:
        raise CheckpointError(
            f"{index} names {name!r}, which is outside its folder or not a file of weights; refused"
        )
    if file.resolve().parent != index.parent.resolve():
        raise CheckpointError(
            f"{file} is a link to a file outside its folder; refused",
            "copy the files themselves into one folder: cp -rL FOLDER COPY",
        )
    if not file.is_file():
        raise CheckpointError(f"{file} is missing; {index.name} needs it", DOWNLOAD_AGAIN)
    return file

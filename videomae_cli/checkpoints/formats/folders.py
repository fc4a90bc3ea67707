"""Folders of weights with JSON beside them, in one file or in shards with an index.

Only names known here are opened: never `training_args.bin`, pickles or Python files.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from videomae_cli.checkpoints.destination import replacing_directory
from videomae_cli.checkpoints.native import CARRIED_CONFIG_KEY, WEIGHTS_FILE
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

CONFIG, PROCESSOR = "config", "preprocessor_config"
BESIDE = (CONFIG, PROCESSOR, "video_preprocessor_config")
WHOLE = (WEIGHTS_FILE, "pytorch_model.bin")
INDEX = ".index.json"
SHARD_BYTES = 5 * 10**9
MOST_JSON_BYTES = 16 * 2**20


def find(path: Path) -> Path | None:
    """Return the file to begin with in a folder that has a `config.json`, if it is one."""
    return first_of(path) if (path / f"{CONFIG}.json").is_file() else None


def first_of(path: Path) -> Path | None:
    """Return a folder's file of weights, or its index where they lie in several files."""
    names = (name for whole in WHOLE for name in (whole, whole + INDEX))
    return next((path / name for name in names if (path / name).is_file()), None)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the JSON objects beside the weights, by file name without suffix.

    Raises:
        CheckpointError: One of them is damaged, or too large for settings.
    """
    files = {name: folder / f"{name}.json" for name in BESIDE}
    return {name: _read_json(file) for name, file in files.items() if file.is_file()}


def write_folder(
    path: Path,
    weights: Mapping[str, Tensor],
    config: ModelConfig,
    beside: Mapping[str, Any],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write tensors, in shards where they are many, and JSON files; our card goes in the header.

    Raises:
        CheckpointError: The folder is in the way.
    """
    shards = list(_shards(weights, shard_bytes))
    names = {WEIGHTS_FILE: 0} if len(shards) == 1 else {}
    stem, suffix = WEIGHTS_FILE.split(".")
    for number in range(len(shards) if not names else 0):
        names[f"{stem}-{number + 1:05}-of-{len(shards):05}.{suffix}"] = number
    ours = [file.name for file in path.iterdir()] if _is_ours(path) else ()
    with replacing_directory(path, ours=ours) as partial:
        metadata = {"format": "pt", CARRIED_CONFIG_KEY: config.model_dump_json()}
        for name, number in names.items():
            save_file(shards[number], partial / name, metadata=metadata)
        contents = {f"{name}.json": said for name, said in beside.items()}
        if len(shards) > 1:
            where = {t: name for name, number in names.items() for t in shards[number]}
            size = sum(t.numel() * t.element_size() for t in weights.values())
            total = {"metadata": {"total_size": size}, "weight_map": where}
            contents[WEIGHTS_FILE + INDEX] = total
        for name, said in contents.items():
            text = json.dumps(said, indent=2, ensure_ascii=False)
            (partial / name).write_text(text + "\n", encoding="utf-8")


def number(said: Mapping[str, Any], name: str) -> int | None:
    """Return a positive whole number of a config; of two equal ones (height, width), one.

    Raises:
        CheckpointError: It is there and is something else.
    """
    value = said.get(name)
    if isinstance(value, list) and len(set(map(str, value))) == 1:
        value = value[0]
    if value is None or (type(value) is int and value > 0):
        return value
    raise CheckpointError(f"{CONFIG}.json: {name} {value!r} is not a positive whole number")


def _is_ours(path: Path) -> bool:
    """Tell a folder that holds nothing but what `write_folder` writes."""
    if not path.is_dir():
        return False
    known = {f"{name}.json" for name in BESIDE} | {WEIGHTS_FILE, WEIGHTS_FILE + INDEX}
    return all(
        f.name in known or f.match("model-?????-of-?????.safetensors") for f in path.iterdir()
    )


def _shards(weights: Mapping[str, Tensor], most: int) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in weights.items():
        needs = tensor.numel() * tensor.element_size()
        if shard and size + needs > most:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.contiguous()
        size += needs
    yield shard


def _read_json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MOST_JSON_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, too many for a config")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}", "download it again") from error
    if not isinstance(said, dict):
        raise CheckpointError(f"{path} holds a {type(said).__name__}, not settings by name")
    return said

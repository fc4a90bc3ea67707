"""Folders of weights with JSON files beside them, in one file or in shards with an index.

Only files with the names listed here are opened: never `training_args.bin`, pickles or Python
files.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from videomae_cli.checkpoints.destination import replacing_directory
from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.checkpoints.native import FOREIGN_CONFIG_KEY, WEIGHTS_FILE
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.report import encodable, format_json

CONFIG, PROCESSOR = "config", "preprocessor_config"
JSON_FILES = (CONFIG, PROCESSOR, "video_preprocessor_config")
WEIGHTS_FILES = (WEIGHTS_FILE, "pytorch_model.bin")
INDEX = ".index.json"
README = "README.md"
README_MARK = "<!-- written by videomae convert -->"
SHARD_BYTES = 5 * 10**9
MAX_JSON_BYTES = 16 * 2**20


def find_foreign_weights(folder: Path) -> Path | None:
    """Return the same, if the folder has a `config.json` too."""
    return find_weights_file(folder) if (folder / f"{CONFIG}.json").is_file() else None


def find_weights_file(folder: Path) -> Path | None:
    """Return the file of weights in a folder, or the index of its shards."""
    names = (name for file in WEIGHTS_FILES for name in (file, file + INDEX))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_folder_json(folder: Path) -> dict[str, Any]:
    """Read the JSON files beside the weights, by file name without suffix.

    Raises:
        CheckpointError: One of them is damaged, or too large for a configuration.
    """
    files = {name: folder / f"{name}.json" for name in JSON_FILES}
    return {name: _read_json(file) for name, file in files.items() if file.is_file()}


def write_folder(
    path: Path,
    weights: Weights,
    config: ModelConfig,
    folder_json: Mapping[str, Any],
    *,
    readme: str | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write tensors and JSON files to a folder; the model configuration goes into the headers.

    `readme` is the text of a README.md. An existing folder is replaced only if it contains nothing
    but files that this function writes.
    Weights of more than `shard_bytes` are split into shards.

    Raises:
        CheckpointError: The folder exists and is not replaced, or cannot be written to.
    """
    shards = _name_shards(list(_split_shards(weights, shard_bytes)))
    contents = {f"{name}.json": content for name, content in folder_json.items()}
    if len(shards) > 1:
        size = sum(tensor.nbytes for tensor in weights.values())
        weight_map = {tensor: name for name, shard in shards.items() for tensor in shard}
        index = {"metadata": {"total_size": size}, "weight_map": weight_map}
        contents[WEIGHTS_FILE + INDEX] = index
    replaceable = [file.name for file in path.iterdir()] if _is_replaceable(path) else ()
    with replacing_directory(path, replaceable=replaceable) as partial:
        metadata = {"format": "pt", FOREIGN_CONFIG_KEY: config.to_json()}
        for name, shard in shards.items():
            save_file(shard, partial / name, metadata=metadata)
        for name, content in contents.items():
            text = format_json(content, indent=2) + "\n"
            (partial / name).write_text(text, encoding="utf-8")
        if readme is not None:
            (partial / README).write_text(encodable(readme), encoding="utf-8")


def read_positive_int(content: Mapping[str, Any], name: str) -> int | None:
    """Return a positive integer of a JSON object; of equal ones (height, width), one of them.

    Raises:
        CheckpointError: The value exists and is something else.
    """
    value = content.get(name)
    if isinstance(value, list) and len(set(map(str, value))) == 1:
        value = value[0]
    if value is None or (type(value) is int and value > 0):
        return value
    raise CheckpointError(f"{CONFIG}.json: {name} {value!r} is not a positive whole number")


def _is_replaceable(path: Path) -> bool:
    """Return whether a folder contains nothing but files that `write_folder` writes."""
    if not path.is_dir():
        return False
    known = {f"{name}.json" for name in JSON_FILES} | {WEIGHTS_FILE, WEIGHTS_FILE + INDEX}
    return all(
        f.name in known or f.match("model-?????-of-?????.safetensors") or _is_our_readme(f)
        for f in path.iterdir()
    )


def _is_our_readme(file: Path) -> bool:
    """Return whether a file is a model card that `convert` wrote, and not one of the user's."""
    return (
        file.name == README
        and file.is_file()
        and README_MARK in file.read_text(encoding="utf-8", errors="replace")
    )


def _name_shards(shards: list[dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    if len(shards) == 1:
        return {WEIGHTS_FILE: shards[0]}
    stem, suffix = WEIGHTS_FILE.split(".")
    return {
        f"{stem}-{number:05}-of-{len(shards):05}.{suffix}": shard
        for number, shard in enumerate(shards, start=1)
    }


def _split_shards(weights: Weights, max_bytes: int) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in weights.items():
        if shard and size + tensor.nbytes > max_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.contiguous()
        size += tensor.nbytes
    yield shard


def _read_json(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise CheckpointError(f"{path} has {size:,} bytes, too many for a configuration")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}", "download it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} contains a {type(content).__name__}, not an object")
    return content

"""Folders of weights with JSON beside them, in one file or in shards with an index.

Only names known here are opened: never `training_args.bin`, pickles or Python files.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from safetensors.torch import save_file
from torch import Tensor

from videomae_cli.checkpoints.atomic import replacing_directory
from videomae_cli.checkpoints.cards import CARRIED_KEY
from videomae_cli.checkpoints.files import WEIGHTS_FILE, is_weights, owned, read_contents
from videomae_cli.checkpoints.report import casts_in
from videomae_cli.config.card import Card
from videomae_cli.errors import CheckpointError

CONFIG, PROCESSOR = "config", "preprocessor_config"
BESIDE = (CONFIG, PROCESSOR, "video_preprocessor_config")
WHOLE = (WEIGHTS_FILE, "pytorch_model.bin")
INDEX = ".index.json"
SHARD_BYTES = 5 * 10**9
MOST_JSON_BYTES = 16 * 2**20


class Folder(NamedTuple):
    """Weights and what lies beside them."""

    files: tuple[Path, ...]
    weights: dict[str, Tensor]
    metadata: dict[str, str]
    config: dict[str, Any]
    """JSON objects by file name without suffix."""
    casts: tuple[str, ...]
    """Types other than float32, as a sentence."""


def find(path: Path) -> Path | None:
    """Return the file to begin with in a folder that has a `config.json`, if it is one."""
    if not (path / f"{CONFIG}.json").is_file():
        return None
    names = (name for whole in WHOLE for name in (whole, whole + INDEX))
    return next((path / name for name in names if (path / name).is_file()), None)


def read_folder(first: Path) -> Folder:
    """Read the folder of a file of weights or an index.

    Raises:
        CheckpointError: A file is missing or damaged, or the index and the shards differ.
    """
    folder = first.parent
    config = {
        name: _read_json(folder / f"{name}.json")
        for name in BESIDE
        if (folder / f"{name}.json").is_file()
    }
    expected = _index(first) if first.name.endswith(INDEX) else {}
    files = tuple(sorted({folder / shard for shard in expected.values()})) or (first,)
    weights: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    casts: set[str] = set()
    for file in files:
        held, said = read_contents(file)
        if not is_weights(held):
            raise CheckpointError(f"{file} does not hold named tensors")
        for name in held:
            if expected and expected.get(name) != file.name:
                place = expected.get(name, "no shard")
                raise CheckpointError(f"{file} holds {name}, {first.name} puts it in {place}")
        casts |= set(casts_in(held))
        weights |= owned(file, held)
        metadata |= said
    lost = sorted(expected.keys() - weights.keys())
    if lost:
        raise CheckpointError(f"{folder}: {lost[0]} is in {first.name} and in no shard")
    return Folder(files, weights, metadata, config, tuple(sorted(casts)))


def write_folder(
    path: Path,
    weights: Mapping[str, Tensor],
    card: Card,
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
        metadata = {"format": "pt", CARRIED_KEY: card.model_dump_json()}
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


def _index(path: Path) -> dict[str, str]:
    where = _read_json(path).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise CheckpointError(f"{path} has no weight_map")
    for name, shard in where.items():
        if not isinstance(shard, str) or PurePath(shard).name != shard or "\\" in shard:
            raise CheckpointError(f"{path}: {name} lies in {shard!r}, outside the folder")
    return where


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

"""Find the file of weights that a path refers to: a run, a directory of any format, or a file."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.formats.folders import find_foreign_weights, find_weights_file
from videomae_cli.checkpoints.native import (
    MODEL_CONFIG_FILE,
    MODEL_CONFIG_KEY,
    WEIGHTS_FILE,
    parse_model_config,
    read_model_config,
)
from videomae_cli.checkpoints.reading.weights_path import require_path
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

DEEPSPEED_FILE, DEEPSPEED_TAG = "mp_rank_00_model_states.pt", "latest"
RUN_FILES = ("recipe.yaml", "metrics.jsonl", "checkpoints")


class Location(NamedTuple):
    """A file of weights, and the model configuration beside it if there is one."""

    file: Path
    config: ModelConfig | None
    is_foreign: bool = False
    """Whether the file belongs to a folder with a `config.json`, which must be read with it."""


def locate_weights(path: Path) -> Location:
    """Find the weights of a file, a directory that contains weights, or a finished run.

    Raises:
        CheckpointError: There are no weights; the message lists the files that are there instead.
    """
    if path.is_file():
        config = _read_config_beside(path)
        is_foreign = config is None and find_foreign_weights(path.parent) == path
        return Location(path, config, is_foreign)
    require_path(path)
    if not (path / MODEL_CONFIG_FILE).is_file() and (foreign := find_foreign_weights(path)):
        return Location(foreign, None, is_foreign=True)
    if (file := _find_deepspeed_file(path)) is not None:
        return Location(file, None)
    for directory in (path, path / "final"):
        if (directory / WEIGHTS_FILE).is_file():
            file = directory / WEIGHTS_FILE
            return Location(file, _read_config_beside(file))
    if (file := find_weights_file(path)) is not None:
        return Location(file, None)
    if any((path / name).exists() for name in RUN_FILES):
        raise CheckpointError(
            f"{path} is a run that has not finished: it has no final/{WEIGHTS_FILE}",
            f"finish it with --resume {path}",
        )
    names = ", ".join(sorted(file.name for file in path.iterdir())[:5]) or "nothing"
    raise CheckpointError(
        f"{path} contains no {WEIGHTS_FILE} and no final/{WEIGHTS_FILE}; it contains {names}",
        "give a run directory, or a file of weights",
    )


def read_header_config(metadata: dict[str, str], file: Path) -> ModelConfig | None:
    """Return the model configuration in a safetensors header, if there is one."""
    text = metadata.get(MODEL_CONFIG_KEY)
    return parse_model_config(text, f"the header of {file}") if text else None


def _find_deepspeed_file(path: Path) -> Path | None:
    """Return DeepSpeed's file of weights in a directory, or in its newest checkpoint."""
    tag = path / DEEPSPEED_TAG
    if tag.is_file() and tag.stat().st_size < 256:  # a file name
        path = path / Path(tag.read_text(encoding="utf-8", errors="replace").strip()).name
    return path / DEEPSPEED_FILE if (path / DEEPSPEED_FILE).is_file() else None


def _read_config_beside(file: Path) -> ModelConfig | None:
    if file.suffix != ".safetensors":
        return None
    if file.name == WEIGHTS_FILE:
        has_config = (file.parent / MODEL_CONFIG_FILE).is_file()
        return read_model_config(file.parent) if has_config else None
    sibling = file.with_suffix(".json")
    if not sibling.is_file():
        return None
    text = sibling.read_text(encoding="utf-8", errors="replace")
    return parse_model_config(text, str(sibling)) if '"videomae-native"' in text else None

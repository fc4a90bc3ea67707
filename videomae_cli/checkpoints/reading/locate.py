"""Where the weights are that a path means: a run, a directory of ours or of others, a file."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.formats.folders import find, first_of
from videomae_cli.checkpoints.native import (
    MODEL_CONFIG_FILE,
    MODEL_CONFIG_KEY,
    WEIGHTS_FILE,
    parse_model_config,
    read_model_config,
)
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

DEEPSPEED_FILE, DEEPSPEED_TAG = "mp_rank_00_model_states.pt", "latest"
RUN_FILES = ("recipe.yaml", "metrics.jsonl", "checkpoints")


class Place(NamedTuple):
    """A file of weights, and the card beside it if there is one."""

    file: Path
    config: ModelConfig | None
    is_foreign: bool = False
    """Whether it is one of a folder with a `config.json`, which must be read with it."""


def locate(path: Path) -> Place:
    """Find the weights that a path means: a file, a directory that holds them, or a run.

    Raises:
        CheckpointError: There are none there; the message says what is there instead.
    """
    if path.is_file():
        config = _card_beside(path)
        is_foreign = config is None and find(path.parent) == path
        return Place(path, config, is_foreign)
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such file or directory", _nearby(path))
    if not (path / MODEL_CONFIG_FILE).is_file() and (first := find(path)) is not None:
        return Place(first, None, is_foreign=True)
    if (file := _of_deepspeed(path)) is not None:
        return Place(file, None)
    for directory in (path, path / "final"):
        if (directory / WEIGHTS_FILE).is_file():
            return Place(directory / WEIGHTS_FILE, _card_beside(directory / WEIGHTS_FILE))
    if (file := first_of(path)) is not None:
        return Place(file, None)
    if any((path / name).exists() for name in RUN_FILES):
        raise CheckpointError(
            f"{path} is a run that has not finished: it has no final/{WEIGHTS_FILE}",
            f"finish it with --resume {path}",
        )
    held = ", ".join(sorted(file.name for file in path.iterdir())[:5]) or "nothing"
    raise CheckpointError(
        f"{path} holds no {WEIGHTS_FILE} and no final/{WEIGHTS_FILE}; it holds {held}",
        "give a run directory, or a file of weights",
    )


def model_config_in(metadata: dict[str, str], file: Path) -> ModelConfig | None:
    """Return the card in a safetensors header, if there is one.

    Raises:
        CheckpointError: There is one and it does not describe a model.
    """
    text = metadata.get(MODEL_CONFIG_KEY)
    return parse_model_config(text, f"the header of {file}") if text else None


def _of_deepspeed(path: Path) -> Path | None:
    """Return DeepSpeed's file of weights in a directory, or in the newest one below it."""
    tag = path / DEEPSPEED_TAG
    if tag.is_file() and tag.stat().st_size < 256:  # a name
        path = path / Path(tag.read_text(encoding="utf-8", errors="replace").strip()).name
    return path / DEEPSPEED_FILE if (path / DEEPSPEED_FILE).is_file() else None


def _card_beside(file: Path) -> ModelConfig | None:
    if file.suffix != ".safetensors":
        return None
    if file.name == WEIGHTS_FILE:
        return (
            read_model_config(file.parent) if (file.parent / MODEL_CONFIG_FILE).is_file() else None
        )
    sibling = file.with_suffix(".json")
    if not sibling.is_file():
        return None
    text = sibling.read_text(encoding="utf-8", errors="replace")
    return parse_model_config(text, str(sibling)) if '"videomae-native"' in text else None


def _nearby(path: Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return f"there is no {parent} either"
    weights = (".pth", ".pt", ".bin", ".safetensors")
    found = sorted(p.name for p in parent.iterdir() if p.is_dir() or p.suffix in weights)
    return f"in {parent} there is {', '.join(found[:5])}" if found else f"{parent} has no weights"

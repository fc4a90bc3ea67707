"""Our own format: `model.safetensors` with `model.json`, the model configuration, beside it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from videomae_cli.checkpoints.destination import replacing_directory
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError, RecipeError

WEIGHTS_FILE = "model.safetensors"
MODEL_CONFIG_FILE = "model.json"
MODEL_CONFIG_KEY = (
    "videomae_card"  # in a safetensors header, and beside the weights in a torch file
)
CARRIED_CONFIG_KEY = (
    "videomae_carried_card"  # in a safetensors header, of weights under other names
)


def read_model_config(directory: Path) -> ModelConfig:
    """Read `model.json` of a directory.

    Raises:
        CheckpointError: It is missing or does not describe a model.
    """
    path = directory / MODEL_CONFIG_FILE
    try:
        return parse_model_config(path.read_text(encoding="utf-8"), str(path))
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} is missing or unreadable", "is this a videomae directory?"
        ) from error


def parse_model_config(text: str, place: str) -> ModelConfig:
    """Read a card from its JSON text; `place` is named in errors.

    Raises:
        CheckpointError: The text is not a card.
    """
    try:
        return ModelConfig.model_validate_json(text)
    except RecipeError as error:  # an impossible grid
        raise CheckpointError(
            f"{place} does not describe a model: grid: {error.message}", error.hint
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'text'}: {fault['msg']}"
            for fault in error.errors()[:3]
        )
        raise CheckpointError(
            f"{place} does not describe a model: {faults}", "is it from a newer videomae?"
        ) from error


def model_config_json(config: ModelConfig) -> str:
    """Return the card as one line of JSON."""
    return config.model_dump_json()


def write_native(
    directory: Path, weights: Mapping[str, Tensor], config: ModelConfig, *, replace: bool = True
) -> None:
    """Write `model.safetensors` and `model.json`, both or neither.

    The configuration also goes into the safetensors header, so that the file alone is enough.

    Args:
        directory: What to create. An existing one is replaced only if it holds nothing but these
            two files.
        weights: Native names to tensors, on any device.
        config: Configuration of their model.
        replace: False refuses an existing directory that is not empty.

    Raises:
        CheckpointError: The directory is in the way.
    """
    ours = (WEIGHTS_FILE, MODEL_CONFIG_FILE) if replace else ()
    text = config.model_dump_json(indent=2)
    # copies: safetensors wants whole rows and refuses memory that two names share
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    with replacing_directory(directory, ours=ours) as partial:
        save_file(
            tensors, partial / WEIGHTS_FILE, metadata={MODEL_CONFIG_KEY: model_config_json(config)}
        )
        (partial / MODEL_CONFIG_FILE).write_text(text + "\n", encoding="utf-8")

"""The native format: `model.safetensors`, and the model configuration in `model.json`."""

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
# key of the model configuration in a safetensors header, and beside the weights in a torch file
MODEL_CONFIG_KEY = "videomae_card"
# the same in the header of a safetensors file whose tensors have the names of another format
FOREIGN_CONFIG_KEY = "videomae_carried_card"


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
            f"{path} is missing or unreadable", "check that this is a directory of videomae"
        ) from error


def parse_model_config(text: str, source: str) -> ModelConfig:
    """Parse a model configuration from JSON; `source` says where it is from, for messages.

    Raises:
        CheckpointError: The text is not a model configuration.
    """
    try:
        return ModelConfig.model_validate_json(text)
    except RecipeError as error:  # an impossible grid
        raise CheckpointError(
            f"{source} does not describe a model: grid: {error.message}", error.hint
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'text'}: {fault['msg']}"
            for fault in error.errors()[:3]
        )
        raise CheckpointError(
            f"{source} does not describe a model: {faults}",
            "if it was written by a newer videomae, update videomae",
        ) from error


def write_native(
    directory: Path, weights: Mapping[str, Tensor], config: ModelConfig, *, replace: bool = True
) -> None:
    """Write `model.safetensors` and `model.json`, both or neither.

    The configuration is also written to the safetensors header, so that one file is enough. An
    existing directory is replaced only if it contains nothing but these two files, or is empty if
    `replace` is false.

    Raises:
        CheckpointError: The directory exists and is not replaced, or cannot be written to.
    """
    replaceable = (WEIGHTS_FILE, MODEL_CONFIG_FILE) if replace else ()
    # copies: safetensors accepts only contiguous tensors that share no memory
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    with replacing_directory(directory, replaceable=replaceable) as partial:
        metadata = {MODEL_CONFIG_KEY: config.to_json()}
        save_file(tensors, partial / WEIGHTS_FILE, metadata=metadata)
        text = config.to_json(indent=2) + "\n"
        (partial / MODEL_CONFIG_FILE).write_text(text, encoding="utf-8")

"""The encoder of any checkpoint, or one with random weights, as a model of features."""

from pathlib import Path
from typing import NamedTuple

import torch

from videomae_cli.checkpoints.finite import require_finite
from videomae_cli.config.model_config import ModelConfig, autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import BUILDERS, Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.load_model import load_weights, read_checkpoint

RANDOM = "random"
_RANDOM_HINT = (
    "random:RECIPE, such as random:k400-vitb, or random:RUN for the architecture of a checkpoint;"
    " another seed: random:k400-vitb:1"
)


class LoadedEncoder(NamedTuple):
    """A model that has an encoder, with its weights."""

    name: str
    """The file, or `random:...`."""
    config: ModelConfig
    model: Autoencoder | Classifier | Backbone
    digest: str
    """SHA-256 of the weights."""


def load_encoder(checkpoint: str) -> LoadedEncoder:
    """Load a checkpoint of any kind and format; or build `random:RECIPE|RUN[:SEED]`.

    Raises:
        CheckpointError: The checkpoint cannot be used, or has values that are not finite.
        UsageError: `random` without an architecture.
    """
    if checkpoint == RANDOM or checkpoint.startswith(f"{RANDOM}:"):
        return _load_random(checkpoint)
    loaded = read_checkpoint(Path(checkpoint))
    require_finite(loaded.weights, loaded.file, loaded.origins)
    model = _build(loaded.config)
    load_weights(model, loaded.weights)
    return LoadedEncoder(str(loaded.file), loaded.config, model, digest_of(loaded.weights))


def build_random_encoder(config: ModelConfig, seed: int = 0, name: str = RANDOM) -> LoadedEncoder:
    """Build a model of this configuration with random weights, which depend on the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "random encoder"))
        model = _build(config)
    return LoadedEncoder(name, config, model, digest_of(model.state_dict()))


def _load_random(text: str) -> LoadedEncoder:
    _, _, source = text.partition(":")
    head, _, tail = source.rpartition(":")
    source, seed = (head, int(tail)) if head and tail.isdigit() else (source, 0)
    if not source:
        raise UsageError("--checkpoint random: of which architecture?", _RANDOM_HINT)
    return build_random_encoder(_read_config(source), seed, text)


def _read_config(source: str) -> ModelConfig:
    """Return the configuration of a recipe or of a checkpoint."""
    path = Path(source)
    if path.is_dir() or path.suffix in (".pth", ".pt", ".bin", ".safetensors", ".ckpt"):
        return read_checkpoint(path, read_values=False).config
    recipe = load_recipe(source)
    if isinstance(recipe, PretrainRecipe):
        return autoencoder_config(recipe)
    return classifier_config(recipe, ("0", "1"))


def _build(config: ModelConfig) -> Autoencoder | Classifier | Backbone:
    model = BUILDERS[config.kind](config)
    if not isinstance(model, Autoencoder | Classifier | Backbone):
        raise CheckpointError(f"a checkpoint of kind {config.kind} has no encoder")
    return model.eval()

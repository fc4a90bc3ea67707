"""From a checkpoint to a model: read the weights, check that they fit, put them into the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from videomae_cli.checkpoints.channel_transfer import fit_clips
from videomae_cli.checkpoints.finite import require_finite
from videomae_cli.checkpoints.hints import NO_HINTS, Hints
from videomae_cli.checkpoints.load_report import LoadReport, match_tensors
from videomae_cli.checkpoints.loading import Checkpoint, load_any_format
from videomae_cli.checkpoints.native import WEIGHTS_FILE
from videomae_cli.checkpoints.reading.files import Contents, read_weights
from videomae_cli.checkpoints.transfer import (
    drop_other_head,
    encoder_weights_for_classifier,
    match_head,
    weights_for_autoencoder,
)
from videomae_cli.config.model import Norm
from videomae_cli.config.model_config import ModelConfig, autoencoder_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.engine.saving.state import read_state
from videomae_cli.engine.saving.store import newest_checkpoint
from videomae_cli.errors import CheckpointError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import build_autoencoder, build_classifier, expected_shapes
from videomae_cli.models.classifier import Classifier
from videomae_cli.tasks.run_dir import CHECKPOINTS, RECIPE, is_finished


def read_checkpoint(
    path: Path,
    hints: Hints = NO_HINTS,
    *,
    ema: bool = False,
    read_values: bool = True,
    contents: Contents | None = None,
) -> Checkpoint:
    """Read a checkpoint with `load_any_format`; check that it has exactly the tensors of its model.

    Raises a `CheckpointError` if tensors are missing, unknown or of another shape.
    """
    loaded = load_any_format(path, hints, ema=ema, read_values=read_values, contents=contents)
    try:
        expected = expected_shapes(loaded.config)
        weights, _ = match_tensors(loaded.weights, expected, origins=loaded.origins)
    except CheckpointError as error:
        raise CheckpointError(f"{loaded.file}: {error.message}", error.hint) from error
    return loaded._replace(weights=weights)


def read_run(path: Path) -> Checkpoint:
    """Read a checkpoint, or the newest complete checkpoint of an unfinished pretraining run.

    Raises a `CheckpointError` as `read_checkpoint`, or if there is no complete checkpoint yet.
    """
    if not (path / RECIPE).is_file() or is_finished(path):
        return read_checkpoint(path)
    recipe = load_recipe(str(path / RECIPE))
    if not isinstance(recipe, PretrainRecipe):
        return read_checkpoint(path)  # raises: the run has not finished
    newest, _ = newest_checkpoint(path / CHECKPOINTS)
    if newest is None:
        raise CheckpointError(
            f"{path} has written no checkpoint yet", "wait for its first checkpoint"
        )
    config = autoencoder_config(recipe).model_copy(update={"step": read_state(newest).step})
    file = newest / WEIGHTS_FILE
    weights, report = match_tensors(read_weights(file)[0], expected_shapes(config))
    return Checkpoint(weights, config, report, file, "native")


def load_autoencoder(loaded: Checkpoint) -> Autoencoder:
    """Build the autoencoder that a checkpoint describes.

    Raises a `CheckpointError` if it is none, or values are not finite.
    """
    model = build_autoencoder(loaded.config)
    require_finite(loaded.weights, loaded.file, loaded.origins)
    load_weights(model, loaded.weights)
    return model


def load_classifier(loaded: Checkpoint) -> Classifier:
    """Build the classifier that a checkpoint describes.

    Raises a `CheckpointError` if it is none, or values are not finite.
    """
    model = build_classifier(loaded.config)
    require_finite(loaded.weights, loaded.file, loaded.origins)
    load_weights(model, loaded.weights)
    return model


def load_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, initialised: Sequence[str] = ()
) -> None:
    """Put native weights into a model; those named `initialised` may be missing.

    Raises a `CheckpointError` if a tensor is missing, unknown or of another shape.
    """
    own = model.state_dict()
    shapes = {name: tensor.shape for name, tensor in own.items()}
    matched, _ = match_tensors(weights, shapes, allow_initialised=initialised)
    model.load_state_dict({**own, **matched})


def init_from_pretrained(
    loaded: Checkpoint, classifier: Classifier, config: ModelConfig, *, norm: Norm = "fresh"
) -> tuple[dict[str, Tensor], LoadReport]:
    """Initialise a classifier from a pretrained encoder; return its weights and the load report.

    The tubelet embedding and learned position embeddings are adapted to another clip geometry.
    The head of a classifier is used if it is for the same classes, whatever their order. Tensors
    that the checkpoint lacks keep their initial values. `norm` is the source of the norm
    after pooling. Raises a `CheckpointError` if the encoders differ, or values that the classifier
    would use are not finite.
    """
    source = loaded.config
    _require_same_encoder(loaded, config)
    fitted, changes = fit_clips(loaded.weights, source, config)
    fitted, other_head = drop_other_head(fitted, source, config)
    fitted, other_task = _drop_head_of_another_task(fitted, source, config)
    fitted, note, unused = match_head(fitted, source.classes or (), config.classes or ())
    expected = {name: tensor.shape for name, tensor in classifier.state_dict().items()}
    weights, report = encoder_weights_for_classifier(fitted, expected, norm=norm)
    require_finite(weights, loaded.file, loaded.origins)
    load_weights(classifier, weights, initialised=report.initialised)
    report = report._replace(dropped=report.dropped | unused | other_head | other_task)
    differences = (*note, *_input_differences(source, config))
    return weights, _complete(report, loaded, changes, differences)


def _drop_head_of_another_task(
    weights: Mapping[str, Tensor], source: ModelConfig, config: ModelConfig
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the weights, and the names of the head with the reason if its outputs differ."""
    fields = ("task", "target_mean", "target_std")
    if all(getattr(source, name) == getattr(config, name) for name in fields):
        return dict(weights), {}
    heads = [name for name in weights if name.startswith("head.")]
    is_same_task = source.task == config.task
    reason = "a head for values in other units" if is_same_task else f"a head for {source.task}"
    others = {name: tensor for name, tensor in weights.items() if name not in heads}
    return others, dict.fromkeys(heads, reason)


def init_autoencoder_from_pretrained(
    loaded: Checkpoint, autoencoder: Autoencoder, config: ModelConfig
) -> tuple[dict[str, Tensor], LoadReport]:
    """Initialise an autoencoder from pretrained weights; return them and the load report.

    Weights are adapted to another clip geometry. Tensors that the checkpoint lacks keep their
    initial values. Raises a `CheckpointError` if the encoders or the decoders differ, or values
    are not finite.
    """
    source = loaded.config
    _require_same_encoder(loaded, config)
    if source.decoder not in (None, config.decoder):
        assert source.decoder is not None and config.decoder is not None
        keys = ("depth", "dim", "heads", "mlp_dim")
        raise CheckpointError(
            f"{loaded.file} has a decoder of {_describe(source.decoder)}; the recipe asks for one"
            f" of {_describe(config.decoder)}",
            " ".join(f"--set model.decoder.{key}={getattr(source.decoder, key)}" for key in keys),
        )
    parts = ("encoder", "decoder")
    fitted, changes = fit_clips(loaded.weights, source, config, parts=parts)
    expected = {name: tensor.shape for name, tensor in autoencoder.state_dict().items()}
    weights, report = weights_for_autoencoder(fitted, expected)
    require_finite(weights, loaded.file, loaded.origins)
    load_weights(autoencoder, weights, initialised=report.initialised)
    differences = (*_input_differences(source, config), *_target_differences(source, config))
    return weights, _complete(report, loaded, changes, differences)


def _complete(
    report: LoadReport,
    loaded: Checkpoint,
    changes: Mapping[str, str],
    differences: Sequence[str],
) -> LoadReport:
    """Return the report with what reading the checkpoint and adapting it have changed."""
    used = {name: change for name, change in changes.items() if name in report.matched}
    return report._replace(
        matched=tuple(name for name in report.matched if name not in used),
        interpolated=used,
        dropped=loaded.report.dropped | report.dropped,
        assumed=(*loaded.report.assumed, *differences),
        defects=loaded.report.defects,
    )


def _require_same_encoder(loaded: Checkpoint, config: ModelConfig) -> None:
    source = loaded.config
    if source.encoder != config.encoder:
        raise CheckpointError(
            f"{loaded.file} has an encoder of {_describe(source.encoder)}; the recipe asks for one"
            f" of {_describe(config.encoder)}",
            "use the recipe for this encoder, or set model.size, positions, class_token and biases"
            " to its values",
        )


def _describe(transformer: TransformerConfig) -> str:
    token = "a" if transformer.class_token else "no"
    return (
        f"dimension {transformer.dim}, {transformer.depth} blocks, {transformer.heads} heads,"
        f" MLP dimension {transformer.mlp_dim}, {transformer.positions} positions,"
        f" {token} class token, biases {transformer.biases}"
    )


def _input_differences(source: ModelConfig, config: ModelConfig) -> list[str]:
    """Return in which ways the classifier's input differs from that of the pretrained encoder."""
    old, new = source.grid, config.grid
    differences = []
    if (old.t, old.h, old.w) != (new.t, new.h, new.w):
        how = "computed" if config.encoder.positions == "sine" else "interpolated"
        differences.append(
            f"position embeddings {how} for {new.t}x{new.h}x{new.w} tokens;"
            f" the checkpoint was trained on {old.t}x{old.h}x{old.w}"
        )
    is_same = (source.mean, source.std) == (config.mean, config.std)
    if not is_same and old.channels == new.channels:
        differences.append(
            f"pixels normalised by mean {config.mean} and std {config.std}, unlike the checkpoint"
        )
    return differences


def _target_differences(source: ModelConfig, config: ModelConfig) -> list[str]:
    """Return in which way the targets differ from those that the pretrained decoder predicts."""
    if source.decoder is None or source.normalize in (None, config.normalize):
        return []
    return [
        f"targets normalised by {config.normalize}; the decoder of the checkpoint was trained with"
        f" {source.normalize}"
    ]

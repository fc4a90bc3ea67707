"""Start a run from pretrained weights of any format, and say where they come from."""

from pathlib import Path
from typing import TYPE_CHECKING

from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.load_report import LoadReport
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.report import Report
from videomae_cli.tasks.load_model import init_autoencoder_from_pretrained, read_checkpoint

if TYPE_CHECKING:
    from videomae_cli.models.classifier import Classifier


def start_from_checkpoint(
    start: str, autoencoder: Autoencoder, config: ModelConfig, report: Report
) -> tuple[ModelConfig, str]:
    """Put the weights of a checkpoint of any format into an autoencoder, and report it.

    Returns the configuration with the origin of the weights, and their digest. Raises as
    `read_checkpoint` and `init_autoencoder_from_pretrained`.
    """
    heads = config.encoder.heads, None if config.decoder is None else config.decoder.heads
    loaded = read_checkpoint(Path(start), Hints(*heads, is_guess=True))
    weights, load_report = init_autoencoder_from_pretrained(loaded, autoencoder, config)
    report_start(start, loaded, load_report, report)
    if loaded.config.decoder is None:
        report.warn(f"{start} has no decoder ({loaded.config.kind}): a new decoder is drawn")
    elif any(name.startswith("decoder.head") for name in load_report.initialised):
        report.warn("the last layer of the decoder is drawn afresh: it predicts other pixels")
    return inherit_origin(config, start, loaded), digest_of(weights)


def report_start(start: str, loaded: Checkpoint, load_report: LoadReport, report: Report) -> None:
    """Report what happened to the tensors of the weights that a run starts from."""
    report.say(f"starting from {start}: {load_report.summary()}")
    for change, count in load_report.count_changes():
        report.say(f"{count} tensor{'s' if count > 1 else ''} adapted to this recipe: {change}")
    for sentence in load_report.assumed:
        report.say(f"assumed: {sentence}")
    for defect in filter(None, (*load_report.defects, loaded.warning)):
        report.warn(defect)


def freeze_encoder(classifier: "Classifier", report: Report) -> None:
    """Freeze the encoder of a classifier, for a probe, and report what is still trained."""
    classifier.freeze_encoder()
    everything = sum(parameter.numel() for parameter in classifier.parameters())
    trained = sum(part.numel() for part in classifier.parameters() if part.requires_grad)
    report.say(
        f"the encoder is frozen, with its last norm: {trained:,} of {everything:,} parameters are"
        " trained"
    )


def inherit_origin(config: ModelConfig, start: str, loaded: Checkpoint) -> ModelConfig:
    """Return the configuration with licence and origin of the weights that a run starts from."""
    origin = f"{start} ({loaded.config.kind}, {loaded.format})"
    lineage = {
        "license": loaded.config.license,
        "derived_from": (*loaded.config.derived_from, origin),
    }
    return config.model_copy(update=lineage)

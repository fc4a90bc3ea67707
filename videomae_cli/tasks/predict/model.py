"""The classifier that predicts, and the views it is given."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.checkpoints.untrained_head import is_untrained_head
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.errors import CheckpointError
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.options import EvalOptions, choose_protocol
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.result import PredictResult, Task


class Model(NamedTuple):
    """A classifier, ready to predict."""

    loaded: Checkpoint
    classifier: Classifier
    protocol: Protocol
    clip: ClipSpec
    """How clips are read, with the protocol applied."""

    @property
    def config(self) -> ModelConfig:
        """The model configuration."""
        return self.loaded.config

    @property
    def task(self) -> Task:
        """What the outputs of the classifier are."""
        return "single-label"

    def empty_result(self, top_k: int) -> PredictResult:
        """Return a result without predictions."""
        classes = self.config.classes or ()
        return PredictResult(self.loaded.file, self.protocol, classes, self.task, top_k, [], [])


def load_model(checkpoint: Path, options: PredictOptions, report: Report) -> Model:
    """Read a classifier and choose its views; windows have one clip unless the options say more.

    Raises what `read_checkpoint`, `load_classifier` and `choose_protocol` raise, and a
    `CheckpointError` if the head was never trained.
    """
    loaded = read_checkpoint(checkpoint)
    classifier = load_classifier(loaded)
    if is_untrained_head(loaded.weights) and not options.allow_untrained_head:
        raise CheckpointError(
            f"{loaded.file}: its head was never trained, so its predictions mean nothing",
            "fine-tune it first: videomae finetune; or add --allow-untrained-head",
        )
    views = EvalOptions(protocol=options.protocol, clips=options.clips, crops=options.crops)
    protocol = choose_protocol(loaded.config, views, report)
    if options.window is not None and options.protocol is None and options.clips is None:
        protocol = protocol._replace(clips=1, name="")
    clip = protocol.apply(loaded.config.clip()).candidates()
    return Model(loaded, classifier, protocol, clip)

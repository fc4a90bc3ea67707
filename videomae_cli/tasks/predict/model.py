"""The classifier that predicts, and the views it is given."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.evaluate import load_evaluated
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.result import PredictResult


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
        return self.config.task

    def empty_result(self, top_k: int) -> PredictResult:
        """Return a result without predictions."""
        classes = self.config.classes or ()
        return PredictResult(self.loaded.file, self.protocol, classes, self.task, top_k, [], [])


def load_model(checkpoint: Path, options: PredictOptions, report: Report) -> Model:
    """Read a classifier and choose its views; windows have one clip unless the options say more.

    Raises what `load_evaluated` raises.
    """
    asked = EvalOptions(
        protocol=options.protocol,
        clips=options.clips,
        crops=options.crops,
        allow_untrained_head=options.allow_untrained_head,
    )
    loaded, classifier, protocol = load_evaluated(checkpoint, asked, report)
    if options.window is not None and options.protocol is None and options.clips is None:
        protocol = protocol._replace(clips=1, name="")
    clip = protocol.apply(loaded.config.clip()).candidates()
    return Model(loaded, classifier, protocol, clip)

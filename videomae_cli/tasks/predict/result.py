"""What a classifier predicts for videos or windows of them, as labels with scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.ingest.input_videos import RejectedInput
from videomae_cli.errors import CheckpointError, DataError, VideoMAEError
from videomae_cli.report import printable

THRESHOLD = 0.5  # of the probability of a class that a multi-label classifier predicts
NOT_FINITE = "the classifier's outputs are not finite"


class Prediction(NamedTuple):
    """The scores of one video, or of one window of it."""

    video: str
    """As the user wrote it."""
    score_K: NDArray[np.float32]
    """(K,) Probabilities of the classes, or values of a regression."""
    start: float | None = None
    """Seconds from the start of the video to that of the window; None: the whole video."""
    end: float | None = None


class Label(NamedTuple):
    """A class with its probability, or a value with its name."""

    name: str
    score: float


class PredictResult(NamedTuple):
    """All predictions of one run."""

    weights: Path
    protocol: Protocol
    classes: tuple[str, ...]
    task: Task
    top_k: int
    predictions: list[Prediction]
    """In the order of the inputs, and of time."""
    rejected: list[RejectedInput]
    files: Sequence[Path] = ()
    """What was written."""

    @property
    def score_name(self) -> str:
        """The name of a score in files."""
        return "value" if self.task == "regression" else "probability"

    def labels(self, prediction: Prediction) -> list[Label]:
        """Return the labels to list for a prediction."""
        return select_labels(prediction.score_K, self.classes, self.task, self.top_k)

    def row(self, prediction: Prediction) -> dict[str, Any]:
        """Return a prediction as plain data."""
        labels = [{"name": one.name, self.score_name: one.score} for one in self.labels(prediction)]
        times = {} if prediction.start is None else {"start": prediction.start}
        times |= {} if prediction.end is None else {"end": prediction.end}
        name = "values" if self.task == "regression" else "classes"
        return {"video": prediction.video, **times, name: labels}

    def rejected_rows(self) -> list[dict[str, str]]:
        """Return the inputs without a result as plain data."""
        return [{"video": one.name, "error": one.reason} for one in self.rejected]

    def as_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {
            "checkpoint": str(self.weights),
            "task": self.task,
            "clips": self.protocol.clips,
            "crops": self.protocol.crops,
            **({"protocol": self.protocol.name} if self.protocol.name else {}),
            "predictions": [self.row(one) for one in self.predictions],
            "rejected": self.rejected_rows(),
            "files": [str(file) for file in self.files],
        }

    def require_all(self) -> None:
        """Check that every input has a result.

        Raises:
            CheckpointError: The outputs are not finite for any input.
            DataError: Some inputs cannot be read.
        """
        if not self.rejected:
            return
        error = self._explain_rejected()
        error.is_shared = True  # every process raises it
        raise error

    def _explain_rejected(self) -> VideoMAEError:
        answered = len({one.video for one in self.predictions})
        if not answered and all(one.reason.startswith(NOT_FINITE) for one in self.rejected):
            return CheckpointError(
                f"{self.weights}: {NOT_FINITE} for any of {len(self.rejected):,} videos",
                "--precision fp32 if fp16 overflows; else the weights are too large, from a"
                " training that diverged: use an earlier checkpoint",
            )
        named = "; ".join(printable(f"{one.name}: {one.reason}") for one in self.rejected[:3])
        more = "; ..." if len(self.rejected) > 3 else ""
        return DataError(
            f"no result for {len(self.rejected):,} of {answered + len(self.rejected):,} inputs:"
            f" {named}{more}",
            "the others have their results above; replace these files or leave them out"
            if answered
            else "replace these files, or give others",
        )


def select_labels(
    score_K: NDArray[np.float32], classes: Sequence[str], task: Task, top_k: int
) -> list[Label]:
    """Return the labels to list, the highest score first.

    `single-label`: the `top_k` most probable classes; `multi-label`: all classes above 0.5, or the
    `top_k` most probable ones if there is none; `regression`: all values, in their order. The lower
    class number comes first in a tie.
    """
    order = np.argsort(-score_K, kind="stable")
    if task == "regression":
        order = np.arange(len(score_K))
    elif task == "multi-label" and (score_K > THRESHOLD).any():
        order = order[: int((score_K > THRESHOLD).sum())]
    else:
        order = order[:top_k]
    return [Label(classes[k], float(score_K[k])) for k in order.tolist()]

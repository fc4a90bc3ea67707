"""The outputs of a model for every video of an evaluation, and the metrics.

Shapes: V videos that could be decoded, K classes or values.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.tasks.evaluate.metrics.intervals import (
    Interval,
    multi_label_intervals,
    regression_intervals,
    single_label_intervals,
)
from videomae_cli.tasks.evaluate.metrics.multi_label import multi_label_metrics
from videomae_cli.tasks.evaluate.metrics.regression import regression_metrics
from videomae_cli.tasks.evaluate.metrics.single_label import single_label_metrics


class Failure(NamedTuple):
    """A video without a prediction."""

    path: str
    reason: str
    """The whole sentence, with the path."""


class Scores(NamedTuple):
    """Outputs of V videos, in the order of the split."""

    indices: NDArray[np.int64]
    """(V,) Position in the split."""
    target: NDArray[Any]
    """label_V, or target_VK: 0 or 1 for each class, or the values of a regression."""
    output_VK: NDArray[np.float32]
    """Probabilities or values, the mean over the views; NaN if an output is not finite."""
    failures: tuple[Failure, ...] = ()
    """Videos that could not be decoded."""
    task: Task = "single-label"
    names: tuple[str, ...] = ()
    """K names of the classes or values."""
    views: tuple[NDArray[np.float32], ...] | None = None
    """Logits (views, K) of each video, if they were kept."""

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """(V,) Whether a video has finite outputs."""
        is_finite_V: NDArray[np.bool_] = np.isfinite(self.output_VK.sum(axis=1))
        return is_finite_V

    @property
    def nonfinite(self) -> NDArray[np.int64]:
        """Positions in the split of the videos without finite outputs."""
        return self.indices[~self.is_finite]

    def require_some(self) -> None:
        """Check that there is something to compute metrics from.

        Raises:
            DataError: No video could be decoded.
            CheckpointError: The model gives finite outputs for none of the videos.
        """
        if not len(self.target):
            raise DataError(
                f"none of {len(self.failures):,} videos could be decoded: "
                + self.failures[0].reason,
                "check that the videos are still where they were prepared",
            ).with_answer({"undecodable": [failure.reason for failure in self.failures]})
        if len(self.nonfinite) == len(self.target):
            raise CheckpointError(
                f"the classifier's outputs are not finite for any of {len(self.target):,} videos,"
                " so it has no accuracy",
                "--precision fp32 if fp16 overflows; else the weights are too large, from a"
                " training that diverged: use an earlier checkpoint",
            )

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the task; see `metrics/`.

        Videos without finite outputs count as wrong, as if their class had probability 0; those of
        a regression are left out. Raises what `require_some` raises.
        """
        self.require_some()
        if self.task == "multi-label":
            return multi_label_metrics(self.target, self.output_VK)
        if self.task == "regression":
            return regression_metrics(self.target, self.output_VK, self.names)
        return single_label_metrics(self.target, self.output_VK)

    def intervals(self, group_V: NDArray[Any] | None = None) -> dict[str, Interval]:
        """Return the 95 % confidence intervals of some of the metrics.

        Args:
            group_V: The source of each video, if several stem from one.
        """
        target, output_VK = self.target, self.output_VK
        if self.task == "multi-label":
            return multi_label_intervals(target, output_VK, group_V=group_V)
        if self.task == "regression":
            return regression_intervals(target, output_VK, group_V=group_V)
        return single_label_intervals(target, output_VK, group_V=group_V)

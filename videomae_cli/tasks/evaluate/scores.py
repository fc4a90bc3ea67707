"""The probabilities of every video of an evaluation, and the metrics."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import CheckpointError, DataError


class Scores(NamedTuple):
    """Probabilities of the V videos that could be decoded, in manifest order."""

    indices: NDArray[np.int64]
    """(V,) Position in the split."""
    labels: NDArray[np.int64]
    """(V,)"""
    probabilities: NDArray[np.float32]
    """(V, K) Mean over the views; NaN if the classifier's output for a view is not finite."""
    undecodable: tuple[str, ...]
    """One message for each video that could not be decoded."""
    views: tuple[NDArray[np.float32], ...] | None = None
    """Logits (views, K) of each video, if they were kept."""

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """(V,) Whether a video has finite probabilities."""
        is_finite_V: NDArray[np.bool_] = np.isfinite(self.probabilities.sum(axis=1))
        return is_finite_V

    @property
    def nonfinite(self) -> NDArray[np.int64]:
        """Positions in the split of the videos without finite probabilities."""
        return self.indices[~self.is_finite]

    def require_some(self) -> None:
        """Check that there is something to compute metrics from.

        Raises:
            DataError: No video could be decoded.
            CheckpointError: The classifier gives finite probabilities for none of the videos.
        """
        if not len(self.labels):
            raise DataError(
                f"none of {len(self.undecodable):,} videos could be decoded: {self.undecodable[0]}",
                "check that the videos are still where they were prepared",
            )
        if len(self.nonfinite) == len(self.labels):
            raise CheckpointError(
                f"the classifier's outputs are not finite for any of {len(self.labels):,} videos,"
                " so it has no accuracy",
                "--precision fp32 if fp16 overflows; else the weights are too large, from a"
                " training that diverged: use an earlier checkpoint",
            )

    def metrics(self) -> dict[str, float]:
        """Return top-1, top-5 (from six classes on), mean per-class accuracy and mean log loss.

        Videos without finite probabilities count as wrong, as if their class had probability 0.
        Raises what `require_some` raises.
        """
        self.require_some()
        is_finite_V = self.is_finite
        probability_VK = np.where(is_finite_V[:, None], self.probabilities, 0)
        # 0 for the most probable class; ties rank the lower label first
        order = np.argsort(-probability_VK, axis=1, kind="stable")
        ranks = np.argmax(order == self.labels[:, None], axis=1)
        ranks[~is_finite_V] = probability_VK.shape[1]
        classes = np.unique(self.labels)
        probability_V = probability_VK[np.arange(len(self.labels)), self.labels]
        log_V = np.log(np.maximum(probability_V.astype(np.float64), 1e-12))
        metrics = {
            "top1": float((ranks < 1).mean()),
            "mean_class": float(np.mean([(ranks[self.labels == k] < 1).mean() for k in classes])),
            "loss": float(-log_V.mean()),
        }
        if self.probabilities.shape[1] > 5:
            metrics["top5"] = float((ranks < 5).mean())
        return metrics

"""The results of an evaluation: the probabilities of every video, and the metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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


class EvalProtocol(NamedTuple):
    """The views of each video: temporal clips times spatial crops."""

    clips: int
    crops: int

    @property
    def views(self) -> int:
        """Views per video."""
        return self.clips * self.crops

    def __str__(self) -> str:
        return f"{self.clips} x {self.crops} view{'s' if self.views > 1 else ''}"


class EvalResult(NamedTuple):
    """The metrics of an evaluation, and its protocol."""

    metrics: dict[str, float]
    protocol: EvalProtocol
    split: str
    videos: int
    """Number of videos that could be decoded."""
    undecodable: tuple[str, ...]
    folder: Path
    """Directory of `result.json` and `scores.npz`."""
    nonfinite: tuple[str, ...] = ()
    """Paths of the videos without finite probabilities; they count as wrong."""

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON document; `not_finite` only if there are such videos."""
        extra: Mapping[str, Any] = {"not_finite": list(self.nonfinite)} if self.nonfinite else {}
        return {
            **self.metrics,
            "clips": self.protocol.clips,
            "crops": self.protocol.crops,
            "split": self.split,
            "videos": self.videos,
            "undecodable": list(self.undecodable),
            **extra,
        }

    def describe_nonfinite(self) -> list[str]:
        """Return one message for each video without finite probabilities."""
        reason = "the classifier's outputs are not finite; counted as wrong"
        return [f"{path}: {reason}" for path in self.nonfinite]

    def headline(self) -> str:
        """Format the result as one line, with protocol and counts."""
        top5 = f", top-5 {100 * self.metrics['top5']:.1f} %" if "top5" in self.metrics else ""
        bad = f", {len(self.nonfinite):,} without finite outputs" if self.nonfinite else ""
        return (
            f"top-1 {100 * self.metrics['top1']:.1f} %{top5} ({self.protocol}, "
            f"{self.videos:,} {self.split} videos, {len(self.undecodable):,} undecodable{bad})"
        )

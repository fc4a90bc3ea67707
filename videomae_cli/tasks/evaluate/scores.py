"""The results of an evaluation: the probabilities of every video, and the metrics."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Scores(NamedTuple):
    """Probabilities of the V videos that could be decoded, in manifest order."""

    indices: NDArray[np.int64]
    """(V,) Position in the split."""
    labels: NDArray[np.int64]
    """(V,)"""
    probabilities: NDArray[np.float32]
    """(V, K) Mean over the views."""
    undecodable: tuple[str, ...]
    """One message for each video that could not be decoded."""

    def metrics(self) -> dict[str, float]:
        """Return top-1, top-5 (from six classes on), mean per-class accuracy and mean log loss."""
        if not len(self.labels):
            return {"top1": 0.0, "loss": float("nan")}
        # 0 for the most probable class; ties rank the lower label first
        order = np.argsort(-self.probabilities, axis=1, kind="stable")
        ranks = np.argmax(order == self.labels[:, None], axis=1)
        classes = np.unique(self.labels)
        probability_V = self.probabilities[np.arange(len(self.labels)), self.labels]
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

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
        return {
            **self.metrics,
            "clips": self.protocol.clips,
            "crops": self.protocol.crops,
            "split": self.split,
            "videos": self.videos,
            "undecodable": list(self.undecodable),
        }

    def headline(self) -> str:
        """Format the result as one line, with protocol and counts."""
        top5 = f", top-5 {100 * self.metrics['top5']:.1f} %" if "top5" in self.metrics else ""
        return (
            f"top-1 {100 * self.metrics['top1']:.1f} %{top5} ({self.protocol}, "
            f"{self.videos:,} {self.split} videos, {len(self.undecodable):,} undecodable)"
        )

"""What an evaluation finds: probabilities of every video, and the numbers that follow from them."""

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
    """What could not be decoded, one message each."""

    def metrics(self) -> dict[str, float]:
        """Return top-1, top-5 (from six classes on), mean per-class accuracy and mean log loss."""
        if not len(self.labels):
            return {"top1": 0.0, "loss": float("nan")}
        ranks = _ranks(self.probabilities, self.labels)
        classes = np.unique(self.labels)
        chosen = self.probabilities[np.arange(len(self.labels)), self.labels]
        found = {
            "top1": float((ranks < 1).mean()),
            "mean_class": float(np.mean([(ranks[self.labels == k] < 1).mean() for k in classes])),
            "loss": float(-np.log(np.maximum(chosen.astype(np.float64), 1e-12)).mean()),
        }
        if self.probabilities.shape[1] > 5:
            found["top5"] = float((ranks < 5).mean())
        return found


class Protocol(NamedTuple):
    """Views per video."""

    clips: int
    crops: int

    @property
    def views(self) -> int:
        """Views per video."""
        return self.clips * self.crops

    def __str__(self) -> str:
        return f"{self.clips} x {self.crops} view{'s' if self.views > 1 else ''}"


class Result(NamedTuple):
    """What an evaluation found, and under which protocol."""

    metrics: dict[str, float]
    protocol: Protocol
    split: str
    videos: int
    undecodable: tuple[str, ...]
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            **self.metrics,
            "clips": self.protocol.clips,
            "crops": self.protocol.crops,
            "split": self.split,
            "videos": self.videos,
            "undecodable": list(self.undecodable),
        }

    def headline(self) -> str:
        """Say it in one line, protocol and counts included."""
        top5 = f", top-5 {100 * self.metrics['top5']:.1f} %" if "top5" in self.metrics else ""
        return (
            f"top-1 {100 * self.metrics['top1']:.1f} %{top5} ({self.protocol}, "
            f"{self.videos:,} {self.split} videos, {len(self.undecodable):,} undecodable)"
        )


def _ranks(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many classes come before the right one; of equals the lowest label comes first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    found: NDArray[np.int64] = np.argmax(order == labels[:, None], axis=1)
    return found

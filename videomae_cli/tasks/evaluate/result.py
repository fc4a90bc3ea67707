"""The result of an evaluation: metrics with the protocol that they were measured by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.config.protocols import Protocol


class EvalResult(NamedTuple):
    """The metrics of an evaluation, and its protocol."""

    metrics: dict[str, float]
    protocol: Protocol
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
            **({"protocol": self.protocol.name} if self.protocol.name else {}),
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

"""The result of an evaluation: metrics with the protocol that they were measured by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.config.protocols import Protocol
from videomae_cli.tasks.evaluate.metrics.intervals import Interval
from videomae_cli.tasks.evaluate.scores import Failure
from videomae_cli.units import plural

# task -> metrics of the headline: key, name, factor and unit
HEADLINES: dict[Task, tuple[tuple[str, str, float, str], ...]] = {
    "single-label": (("top1", "top-1", 100, " %"), ("top5", "top-5", 100, " %")),
    "multi-label": (("map", "mAP", 100, " %"),),
    "regression": (("mae", "mean absolute error", 1, ""), ("r2", "R²", 1, "")),
}
AVERAGES: dict[Task, str] = {
    "single-label": "softmax mean",
    "multi-label": "sigmoid mean",
    "regression": "mean of values",
}


class EvalResult(NamedTuple):
    """The metrics of an evaluation, and how they were measured."""

    metrics: Mapping[str, float]
    protocol: Protocol
    split: str
    videos: int
    """Number of videos that could be decoded."""
    failures: tuple[Failure, ...]
    """Videos that could not."""
    folder: Path
    """Directory of `result.json`, `scores.npz` and `report.html`."""
    nonfinite: tuple[str, ...] = ()
    """Paths of the videos without finite outputs; they count as wrong."""
    task: Task = "single-label"
    intervals: Mapping[str, Interval] = {}
    """95 % confidence intervals of some of the metrics."""
    size: str = ""
    """Height and width of a view."""

    @property
    def undecodable(self) -> tuple[str, ...]:
        """One message for each video that could not be decoded."""
        return tuple(failure.reason for failure in self.failures)

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON document; `not_finite` only if there are such videos."""
        return {
            **self.metrics,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            **({} if self.task == "single-label" else {"task": self.task}),
            "clips": self.protocol.clips,
            "crops": self.protocol.crops,
            **({"protocol": self.protocol.name} if self.protocol.name else {}),
            "split": self.split,
            "videos": self.videos,
            "attempted": self.videos + len(self.failures),
            "undecodable": list(self.undecodable),
            **({"not_finite": list(self.nonfinite)} if self.nonfinite else {}),
        }

    def describe_nonfinite(self) -> list[str]:
        """Return one message for each video without finite outputs."""
        what = "left out" if self.task == "regression" else "counted as wrong"
        return [
            f"{path}: the classifier's outputs are not finite; {what}" for path in self.nonfinite
        ]

    def headline(self) -> str:
        """Format the result as one line, with interval, protocol and counts."""
        attempted = self.videos + len(self.failures)
        counts = f"{self.videos:,} of {attempted:,} {self.split} videos"
        parts = [str(self.protocol), self.size, AVERAGES[self.task], counts]
        if self.failures:
            parts.append(f"{len(self.failures):,} unreadable")
        if self.nonfinite:
            parts.append(f"{len(self.nonfinite):,} without finite outputs")
        figures = format_figures(self.task, self.metrics, self.intervals)
        return f"{figures} ({', '.join(filter(None, parts))})"


class StoredResult(NamedTuple):
    """The metrics of scores in a file."""

    source: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    videos: int
    task: Task
    unreadable: int = 0
    """Videos that could not be decoded, if the file names them."""
    nonfinite: int = 0
    """Videos without finite outputs."""

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
        return {
            **self.metrics,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            **({} if self.task == "single-label" else {"task": self.task}),
            "scores": self.source,
            "videos": self.videos,
            "attempted": self.videos + self.unreadable,
            **({"not_finite": self.nonfinite} if self.nonfinite else {}),
        }

    def headline(self) -> str:
        """Format the result as one line."""
        figures = format_figures(self.task, self.metrics, self.intervals)
        counts = plural(self.videos)
        if self.unreadable:
            attempted = self.videos + self.unreadable
            counts = f"{self.videos:,} of {attempted:,} videos, {self.unreadable:,} unreadable"
        if self.nonfinite:
            counts += f", {self.nonfinite:,} without finite outputs"
        return f"{figures} ({self.source}, {counts})"


def format_figures(
    task: Task, metrics: Mapping[str, float], intervals: Mapping[str, Interval]
) -> str:
    """Return the metrics of the headline with their intervals."""
    texts = []
    for key, name, factor, unit in HEADLINES[task]:
        if key not in metrics:
            continue
        digits = ".1f" if factor == 100 else ".4g"
        texts.append(f"{name} {factor * metrics[key]:{digits}}{unit}")
        if key in intervals:
            low, high = (f"{factor * end:{digits}}" for end in intervals[key])
            texts[-1] += f" [{low}, {high}]"
    return ", ".join(texts)

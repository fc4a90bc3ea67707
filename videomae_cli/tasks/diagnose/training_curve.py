"""The logged metrics of a run, as the rules of the diagnosis read them."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from videomae_cli.config.model import Task

Line = Mapping[str, float]
"""One line of `metrics.jsonl`."""
MAX_LR = 0.02  # AdamW moves every weight by about the learning rate; weights are about this large
BASELINES = {
    "pretrain": "predicting the mean",
    "single-label": "predicting the class frequencies",
    "multi-label": "predicting the frequency of each class",
    "regression": "predicting the mean",
}
"""The prediction whose loss is logged as `trivial_loss`; it ignores the input clip."""
PROBES = {"probe_top1": "top-1", "probe_map": "mAP", "probe_r2": "R2"}
"""Column of a probe of the features -> name of its measure."""


class Chance(NamedTuple):
    """The validation accuracy of always giving the most frequent class."""

    top1: float
    videos: int
    """Number of validation videos."""
    classes: int

    @property
    def limit(self) -> float:
        """Accuracy up to which a classifier is no better: one standard error above `top1`."""
        return self.top1 + math.sqrt(self.top1 * (1 - self.top1) / self.videos)


class FeatureProbe(NamedTuple):
    """The result of a probe of the features during pretraining."""

    name: str
    """Of the measure."""
    value: float
    constant: float
    """The measure of the best constant answer on the same videos."""
    videos: float
    """Number of validation videos."""

    @property
    def limit(self) -> float:
        """Value up to which features are no better than a constant answer.

        One standard error above it for an accuracy.
        """
        if self.name != PROBES["probe_top1"]:
            return self.constant
        return self.constant + math.sqrt(self.constant * (1 - self.constant) / self.videos)

    def describe(self, value: float) -> str:
        """Format a value with the name of the measure."""
        return f"{self.name} {value:.3f}" if self.name == "R2" else f"{self.name} {value:.1%}"


class TrainingCurve(NamedTuple):
    """The logged metrics of a run, and its planned length."""

    kind: Literal["pretrain", "finetune"]
    steps: int
    """Planned steps, of which `warmup` are for the warm-up."""
    warmup: int
    lines: Sequence[Line]
    """Lines of `metrics.jsonl`, in order."""
    failure: str = ""
    """Error message, if the run was ended by its loss."""
    chance: Chance | None = None
    """None without validation, or where the prepared data are no longer there."""
    task: Task = "single-label"
    """Of a fine-tuning."""
    note: str = ""
    """A fact about the data that every verdict mentions; may be empty."""
    plateau: str = ""
    """Why a pretraining that has learned nothing may have stayed on the plateau, from
    `tasks/plateau.py`; may be empty."""

    def column(self, name: str) -> list[float]:
        """Return all logged values of a metric, in order."""
        return [line[name] for line in self.lines if name in line]

    def last(self, name: str) -> float | None:
        """Return the newest logged value of a metric; None if there is none."""
        return next(iter(self.column(name)[::-1]), None)

    @property
    def last_probe(self) -> FeatureProbe | None:
        """The newest probe of the features; None without any, or if it is not finite.

        Logs of earlier versions lack `probe_constant`; without it nothing can be said.
        """
        line = next((line for line in self.lines[::-1] if PROBES.keys() & line.keys()), None)
        if line is None or "probe_constant" not in line:
            return None
        column = next(name for name in PROBES if name in line)
        constant, videos = line["probe_constant"], line["probe_val_videos"]
        probe = FeatureProbe(PROBES[column], line[column], constant, videos)
        return probe if math.isfinite(probe.value) else None

    @property
    def step(self) -> int:
        """Steps completed."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    @property
    def end_loss(self) -> float:
        """Median loss of the last tenth of the lines, and of at least three."""
        return median(self.column("loss")[-self._end_lines :])

    @property
    def best_loss(self) -> float:
        """Lowest median loss of as many consecutive lines as `end_loss` is the median of.

        The median of fewer lines would be lower by chance alone where small batches scatter.
        """
        losses, count = self.column("loss"), self._end_lines
        starts = range(0, max(1, len(losses) - count + 1), max(1, count // 10))
        return min(median(losses[first : first + count]) for first in starts)

    @property
    def _end_lines(self) -> int:
        return max(3, len(self.column("loss")) // 10)

    @property
    def is_flat(self) -> bool:
        """Whether the loss fell by less than 1 % over the last third of the lines."""
        losses = self.column("loss")
        third = len(losses) // 3
        if third < 3:
            return False
        return median(losses[-third:]) > 0.99 * median(losses[-2 * third : -third])

    @property
    def peak_lr(self) -> float:
        """Highest learning rate; 0 if none is logged."""
        return max(self.column("lr"), default=0.0)

    @property
    def has_excessive_lr(self) -> bool:
        """Whether the learning rate was too high for AdamW."""
        return self.peak_lr > MAX_LR

    @property
    def classes(self) -> float:
        """Effective number of classes: the exponential of the entropy of their frequencies.

        Infinite where not one of several classes is predicted.
        """
        trivial = self.last("trivial_loss")
        is_single = self.kind == "finetune" and self.task == "single-label"
        return math.exp(trivial) if is_single and trivial is not None else math.inf

    @property
    def least_rank(self) -> float:
        """Effective rank of features that have nothing left but what the model has to predict.

        K classes, each at a point of its own, have rank K - 1; one value, or one class that a video
        has or not, has rank 1.
        """
        if self.kind == "finetune" and self.task != "single-label":
            return 0.99
        return self.classes - 1.01

    @property
    def separates_classes(self) -> bool:
        """Whether loss or validation show that the features tell most classes or values apart.

        True if a classifier has gone half of the way from its baseline to perfection.
        """
        if self.kind != "finetune" or not self.column("loss"):
            return False
        trivial, top1 = self.last("trivial_loss"), self.last("val_top1")
        if top1 is not None and self.chance is not None:
            return top1 >= (1 + self.chance.top1) / 2
        return trivial is not None and self.end_loss < trivial / 2

    @property
    def baseline(self) -> str:
        """Name of the prediction whose loss is `trivial_loss`."""
        return BASELINES[self.task if self.kind == "finetune" else self.kind]

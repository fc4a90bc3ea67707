"""The label curve of `videomae eval`: what frozen features are worth, by the number of labels.

Probes are fitted to the features of two encoders with the same parts of the training labels, and
measured on the same videos. The features are computed once, so a curve takes seconds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.tasks.probe.baselines import answer_constant
from videomae_cli.tasks.probe.measures import (
    NAMES,
    Interval,
    Measure,
    Metric,
    bootstrap,
    make_metric,
    measure_output,
    measure_seeds,
    subtract,
)
from videomae_cli.tasks.probe.probes import attentive, knn, linear
from videomae_cli.tasks.probe.samples import (
    FeatureTable,
    Floats,
    Index,
    Probe,
    Target,
)
from videomae_cli.tasks.probe.subsets import ALL, describe_count, describe_minimum, draw_subset

PROBES: dict[str, Probe] = {
    "linear": linear.fit_predict,
    "knn": knn.fit_predict,
    "attentive": attentive.fit_predict,
}
DEFAULT_PROBES = ("linear", "knn")
SEEDS = 5
FILE, PICTURE = "label_curve.json", "label_curve.png"


class CurvePoint(NamedTuple):
    """Both encoders with one probe and one part of the labels."""

    probe: str
    percent: float
    labels: tuple[int, ...]
    """Number of labels for each seed."""
    first: Interval
    second: Interval
    gain: Interval
    """First minus second, with the same labels and on the same videos."""

    def as_json(self) -> dict[str, Any]:
        """Return the point as a JSON document."""
        intervals = {name: getattr(self, name)._asdict() for name in ("first", "second", "gain")}
        return {
            "probe": self.probe,
            "percent": self.percent,
            "labels": list(self.labels),
            **intervals,
        }


class LabelCurve(NamedTuple):
    """The label curve of two encoders."""

    task: Task
    split: str
    """The split that is measured."""
    names: tuple[str, str]
    """Of the encoders."""
    digests: tuple[str, str]
    """Of their features."""
    videos: tuple[int, int]
    """Number of training videos, and of videos that are measured."""
    points: tuple[CurvePoint, ...]
    constant: Measure
    """The best constant answer on the videos that are measured."""
    remarks: tuple[str, ...]

    @property
    def seeds(self) -> int:
        """Number of draws of the labels for each percentage."""
        return len(self.points[0].labels)

    def of_probe(self, probe: str) -> list[CurvePoint]:
        """Return the points of one probe, by the number of labels."""
        return [point for point in self.points if point.probe == probe]

    @property
    def probes(self) -> tuple[str, ...]:
        """Names of the probes."""
        return tuple(dict.fromkeys(point.probe for point in self.points))

    def sentence(self) -> str:
        """Return one sentence about the first probe: what the curve shows, and what it does not."""
        points = self.of_probe(self.probes[0])
        first, second = self.names
        last = points[-1]
        clear = next((p for p in points if p.gain.is_positive or p.gain.is_negative), None)
        where = f"({self.probes[0]} probe, {self.split}, {self.videos[1]:,} videos)"
        limit = "This compares frozen features; fine-tuning can differ."
        if clear is None:
            widest = max(points, key=lambda point: point.gain.value)
            return (
                f"No difference between {first} and {second} can be shown with any number of labels"
                f" {where}; the largest is {widest.gain.format_difference(self.task)} with"
                f" {self._describe_labels(widest)}. {limit}"
            )
        shown = sum(point.gain.is_positive or point.gain.is_negative for point in points)
        text = (
            f"With {self._describe_labels(clear)} {first} gives"
            f" {clear.gain.format_difference(self.task)} over {second} {where}"
        )
        if clear is not last:
            text += f"; with {self._describe_labels(last)} {self._describe_gain(last)}"
        if len(points) > 1:
            text += f"; a difference is shown with {shown} of {len(points)} numbers of labels"
        return f"{text}. {limit}"

    def _describe_gain(self, point: CurvePoint) -> str:
        figures = point.gain.format_difference(self.task)
        if point.gain.is_positive or point.gain.is_negative:
            return f"it gives {figures}"
        return f"no difference can be shown ({figures})"

    def _describe_labels(self, point: CurvePoint) -> str:
        if point.percent >= ALL:
            return f"all labels ({point.labels[0]:,} videos)"
        return f"{point.percent:g} % of the labels ({describe_count(point.labels)} videos)"

    def columns(self) -> tuple[str, ...]:
        """Return the heads of the columns of the table."""
        return "probe", "labels", *self.names, "difference"

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table."""
        return [
            (
                point.probe,
                f"{point.percent:g} % = {describe_count(point.labels)}",
                point.first.format(self.task),
                point.second.format(self.task),
                point.gain.format_difference(self.task),
            )
            for point in self.points
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the curve as a JSON document."""
        return {
            "task": self.task,
            "measure": NAMES[self.task],
            "first": self.names[0],
            "second": self.names[1],
            "split": self.split,
            "train_videos": self.videos[0],
            "test_videos": self.videos[1],
            "seeds": self.seeds,
            "points": [point.as_json() for point in self.points],
            "constant": self.constant.as_json(),
            "sentence": self.sentence(),
            "remarks": list(self.remarks),
            "features": dict(zip(("first", "second"), self.digests, strict=True)),
        }


def make_curve(
    first: FeatureTable,
    second: FeatureTable,
    split: str,
    points: Sequence[CurvePoint],
    remarks: Sequence[str],
) -> LabelCurve:
    """Return the curve of two aligned tables, and a remark on each percentage too small."""
    train, test = first.rows("train"), first.rows(split)
    part, target = first.target.take(train), first.target.take(test)
    minimums = [describe_minimum(part, each.percent, each.labels) for each in points]
    return LabelCurve(
        target.task,
        split,
        names=(first.name, second.name),
        digests=(first.digest, second.digest),
        videos=(len(train), len(test)),
        points=tuple(points),
        constant=measure_output(target, answer_constant(target)),
        remarks=(*remarks, *dict.fromkeys(filter(None, minimums))),
    )


def measure_point(
    first: FeatureTable,
    second: FeatureTable,
    rows: tuple[Index, Index],
    probe: str,
    percent: float,
    seeds: int,
) -> CurvePoint:
    """Fit one probe to both encoders, once for each seed."""
    train, test = rows
    target = first.target.take(test)
    metrics: tuple[list[Metric], list[Metric]] = ([], [])
    labels = []
    for seed in range(seeds):
        part = train[draw_subset(first.target.take(train), percent, seed)]
        labels.append(len(part))
        for table, found in zip((first, second), metrics, strict=True):
            found.append(make_metric(target, _predict(probe, table, part, test, seed)))
    differences = [subtract(a, b) for a, b in zip(*metrics, strict=True)]
    values, others = (measure_seeds(each, target).clip(target.task) for each in metrics)
    gains = bootstrap(differences, target)
    return CurvePoint(probe, percent, tuple(labels), values, others, gains)


def _predict(probe: str, table: FeatureTable, train: Index, test: Index, seed: int) -> Floats:
    target: Target = table.target.take(train)
    return PROBES[probe](table.feature[train], target, table.feature[test], seed=seed)

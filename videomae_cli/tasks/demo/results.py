"""The results of the demonstration: frozen features, fine-tuning, controls, and what they show."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.demo.videos import MOTIONS, FrameOrder
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.probe.curve import CurvePoint, LabelCurve
from videomae_cli.tasks.probe.measures import Interval, Metric, bootstrap, subtract
from videomae_cli.tasks.probe.samples import Target

InitialWeights = Literal["pretrained", "scratch"]
CHANCE = 1 / len(MOTIONS)
PAIR_CHANCE = 1 / 2
TASK: Literal["single-label"] = "single-label"


class DemoScore(NamedTuple):
    """The accuracy of one classifier on the test videos, in 0..1."""

    order: FrameOrder
    start: InitialWeights
    labels: int
    right: tuple[bool, ...]
    """For each test video, in the order of the data: whether its class has the largest output."""
    pair: float
    """Accuracy if the pair of opposite classes is given and only the likelier of the two counts."""

    @property
    def videos(self) -> int:
        """Number of test videos."""
        return len(self.right)

    @property
    def top1(self) -> float:
        """Top-1 accuracy."""
        return float(np.mean(self.right))

    @property
    def interval(self) -> Interval:
        """Top-1 with its 95 % interval over test videos."""
        return bootstrap([self.metric()], _target(self)).clip(TASK)

    def metric(self) -> Metric:
        """Return top-1 as a function of the weights of the test videos."""
        right_V = np.array(self.right, dtype=np.float64)
        return lambda weight_V: float(weight_V @ right_V / weight_V.sum())

    def margin(self, expected: float) -> float:
        """Return 1.96 standard errors of an accuracy on the test videos, if `expected` is true."""
        return float(1.96 * np.sqrt(expected * (1 - expected) / self.videos))

    def as_json(self) -> dict[str, Any]:
        """Return the score as a JSON document."""
        return {
            "order": self.order,
            "start": self.start,
            "labels": self.labels,
            "top1": self.top1,
            "pair": self.pair,
            "videos": self.videos,
        }


class DemoResults(NamedTuple):
    """All results of a demonstration."""

    frozen: LabelCurve
    """A linear probe on frozen features, pretrained and random, by the number of labels."""
    comparisons: tuple[DemoScore, ...]
    """Fine-tuned, natural order: from pretrained weights and from scratch, for each budget."""
    controls: tuple[DemoScore, ...]
    """Still and shuffled frames, each from pretrained weights."""
    seconds: dict[str, float]

    @property
    def budgets(self) -> list[int]:
        """Numbers of labels, in ascending order."""
        return sorted({score.labels for score in self.comparisons})

    @property
    def points(self) -> list[CurvePoint]:
        """The points of the frozen features, smallest budget first."""
        return sorted(self.frozen.points, key=lambda point: point.labels)

    def find_score(self, labels: int, start: InitialWeights) -> DemoScore:
        """Return the score of one fine-tuned classifier of the comparisons."""
        return next(s for s in self.comparisons if (s.labels, s.start) == (labels, start))

    def gain(self, labels: int) -> Interval:
        """Return top-1 after pretraining minus top-1 from scratch, over the same test videos."""
        pretrained, scratch = (self.find_score(labels, start) for start in get_args(InitialWeights))
        return bootstrap([subtract(pretrained.metric(), scratch.metric())], _target(pretrained))

    def frozen_rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table of frozen features: labels, both accuracies, gain."""
        return [
            _row(labels, point.first, point.second, point.gain)
            for labels, point in zip(self.budgets, self.points, strict=True)
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table of fine-tuning: labels, both accuracies, gain."""
        rows = []
        for labels in self.budgets:
            first, second = (self.find_score(labels, s).interval for s in get_args(InitialWeights))
            rows.append(_row(labels, first, second, self.gain(labels)))
        return rows

    def conclusion(self) -> str:
        """Return one sentence about frozen features: what pretraining taught the encoder."""
        gains = [point.gain for point in self.points]
        return "a linear probe on frozen features " + _describe_gains(
            self.budgets, gains, "random features"
        )

    def finetuning_conclusion(self) -> str:
        """Return one sentence about fine-tuning, after the same number of steps."""
        gains = [self.gain(labels) for labels in self.budgets]
        return "fine-tuning from pretrained weights " + _describe_gains(
            self.budgets, gains, "training from scratch"
        )

    def summary(self) -> list[str]:
        """Return both conclusions and the results of the controls, one line each."""
        lines = [self.conclusion(), self.finetuning_conclusion()]
        for score in self.controls:
            if score.order == "still":
                value, expected, name = score.top1, CHANCE, "one frame repeated, top-1"
            else:
                value, expected, name = score.pair, PAIR_CHANCE, "frames shuffled, pair accuracy"
            lines.append(
                f"control, {name}: {100 * value:.1f} %, expected {100 * expected:.1f} "
                f"± {100 * score.margin(expected):.1f} % if only the order of frames matters"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the results as a JSON document; gains in points, smallest budget first."""
        gains = [self.gain(labels) for labels in self.budgets]
        return {
            "budgets": self.budgets,
            "frozen_gains": [100 * point.gain.value for point in self.points],
            "frozen_gain_intervals": [_points(point.gain) for point in self.points],
            "gains": [100 * gain.value for gain in gains],
            "gain_intervals": [_points(gain) for gain in gains],
            "frozen": self.frozen.as_json(),
            "finetuned": [score.as_json() for score in self.comparisons],
            "controls": [score.as_json() for score in self.controls],
            "chance": CHANCE,
            "seconds": self.seconds,
        }


def read_score(
    result: EvalResult, order: FrameOrder, start: InitialWeights, labels: int
) -> DemoScore:
    """Compute the score of a classifier from the files of its evaluation."""
    with np.load(result.folder / "scores.npz") as scores:
        label_V, probability_VK = scores["label"], scores["probability"]
        classes = [str(name) for name in scores["classes"]]
    right = tuple((probability_VK.argmax(axis=1) == label_V).tolist())
    pair = _pair_accuracy(label_V, probability_VK, classes)
    return DemoScore(order, start, labels, right, pair)


def opposite_motion(motion: str) -> str:
    """Return the class that shows the same frames in reverse order."""
    return MOTIONS[MOTIONS.index(motion) ^ 1]


def _target(score: DemoScore) -> Target:
    """Return what the bootstrap needs to know: that each video stands for itself."""
    return Target(TASK, np.zeros(score.videos, dtype=np.int64), len(MOTIONS))


def _row(labels: int, first: Interval, second: Interval, gain: Interval) -> tuple[str, ...]:
    return f"{labels:,}", first.format(TASK), second.format(TASK), gain.format_difference(TASK)


def _points(gain: Interval) -> list[float]:
    return [100 * gain.low, 100 * gain.high]


def _describe_gains(budgets: Sequence[int], gains: Sequence[Interval], other: str) -> str:
    """Say at how many budgets a gain is shown, with the figures of the first and the last."""
    figures = [
        f"{gain.format_difference(TASK)} with {labels:,} labels"
        for labels, gain in zip(budgets, gains, strict=True)
    ]
    shown = sum(gain.is_positive for gain in gains)
    lost = sum(gain.is_negative for gain in gains)
    if shown == len(gains):
        verdict = f"is better than {other} with every number of labels"
    elif shown:
        verdict = f"is better than {other} with {shown} of {len(gains)} numbers of labels"
    else:
        verdict = f"is not shown to be better than {other}"
    if lost:
        verdict += f" and worse with {lost}"
    return f"{verdict}: {figures[0]}, {figures[-1]}"


def _pair_accuracy(
    label_V: NDArray[np.int64], probability_VK: NDArray[np.float32], classes: Sequence[str]
) -> float:
    opposite_K = np.array([classes.index(opposite_motion(name)) for name in classes])
    index_V = np.arange(len(label_V))
    right_V = probability_VK[index_V, label_V]
    wrong_V = probability_VK[index_V, opposite_K[label_V]]
    # a tie counts half, so a model that never decides has exactly the accuracy of chance
    return float((right_V > wrong_V).mean() + (right_V == wrong_V).mean() / 2)

"""The results of the demonstration: one score per trained classifier, and a summary."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.demo.videos import MOTIONS, FrameOrder
from videomae_cli.tasks.evaluate.result import EvalResult

InitialWeights = Literal["pretrained", "scratch"]
CHANCE = 1 / len(MOTIONS)
PAIR_CHANCE = 1 / 2


class DemoScore(NamedTuple):
    """The accuracy of one classifier on the test videos, in 0..1."""

    order: FrameOrder
    start: InitialWeights
    labels: int
    top1: float
    pair: float
    """Accuracy if the pair of opposite classes is given and only the likelier of the two counts."""
    videos: int

    def margin(self, expected: float) -> float:
        """Return 1.96 standard errors of an accuracy on the test videos, if `expected` is true."""
        return 1.96 * math.sqrt(expected * (1 - expected) / self.videos)


class DemoResults(NamedTuple):
    """All scores of a demonstration."""

    comparisons: tuple[DemoScore, ...]
    """Natural order: from pretrained weights and from scratch, for each number of labels."""
    controls: tuple[DemoScore, ...]
    """Still and shuffled frames, each from pretrained weights."""
    seconds: dict[str, float]

    @property
    def budgets(self) -> list[int]:
        """Numbers of labels, in ascending order."""
        return sorted({score.labels for score in self.comparisons})

    def find_score(self, labels: int, start: InitialWeights) -> DemoScore:
        """Return the score of one classifier of the comparisons."""
        return next(s for s in self.comparisons if (s.labels, s.start) == (labels, start))

    def gain(self, labels: int) -> float:
        """Return the gain in top-1 by pretraining, in percentage points."""
        pretrained, scratch = (self.find_score(labels, s).top1 for s in ("pretrained", "scratch"))
        return 100 * (pretrained - scratch)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table: labels, both accuracies, gain."""
        rows = []
        for labels in self.budgets:
            pair = (self.find_score(labels, start).top1 for start in get_args(InitialWeights))
            figures = (f"{100 * top1:.1f} %" for top1 in pair)
            rows.append((f"{labels:,}", *figures, f"{self.gain(labels):+.1f} points"))
        return rows

    def conclusion(self) -> str:
        """Return one sentence about the gain at the lowest and the highest number of labels."""
        fewest, most = self.budgets[0], self.budgets[-1]
        first, last = self.gain(fewest), self.gain(most)
        figures = (
            f"pretraining changes top-1 by {first:+.1f} points with {fewest} labels and by "
            f"{last:+.1f} with {most}, after the same number of fine-tuning steps"
        )
        if first <= 0:
            return f"{figures}: it does not help here"
        if last <= 0:
            return f"{figures}: with {most} labels, training from scratch has caught up"
        if last < first:
            return f"{figures}: it helps most where labels are few"
        return f"{figures}: up to {most} labels, more labels do not replace it"

    def summary(self) -> list[str]:
        """Return the conclusion and the results of the controls, one line each."""
        lines = [self.conclusion()]
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
        """Return the results as a JSON document."""
        return {
            "contests": [score._asdict() for score in self.comparisons],
            "controls": [score._asdict() for score in self.controls],
            "gain_points": {str(labels): self.gain(labels) for labels in self.budgets},
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
    pair = _pair_accuracy(label_V, probability_VK, classes)
    return DemoScore(order, start, labels, result.metrics["top1"], pair, len(label_V))


def opposite_motion(motion: str) -> str:
    """Return the class that shows the same frames in reverse order."""
    return MOTIONS[MOTIONS.index(motion) ^ 1]


def _pair_accuracy(
    label_V: NDArray[np.int64], probability_VK: NDArray[np.float32], classes: Sequence[str]
) -> float:
    opposite_K = np.array([classes.index(opposite_motion(name)) for name in classes])
    index_V = np.arange(len(label_V))
    right_V = probability_VK[index_V, label_V]
    wrong_V = probability_VK[index_V, opposite_K[label_V]]
    # a tie counts half, so a model that never decides has exactly the accuracy of chance
    return float((right_V > wrong_V).mean() + (right_V == wrong_V).mean() / 2)

"""What the demonstration measured: one score per trained classifier, and what follows from them."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.tasks.demo.videos import MOTIONS, Order
from videomae_cli.tasks.evaluate.scores import Result

Start = Literal["pretrained", "scratch"]
CHANCE = 1 / len(MOTIONS)
TOSS = 1 / 2


class Score(NamedTuple):
    """One classifier on the test videos. Accuracies in 0..1."""

    order: Order
    start: Start
    labels: int
    """Labelled videos it was fine-tuned on."""
    top1: float
    pair: float
    """The same, when told which of the four pairs it is: of two opposite classes the likelier."""
    videos: int
    """Test videos."""

    def margin(self, expected: float) -> float:
        """Return 1.96 standard errors of a share of the test videos, were `expected` the truth."""
        return 1.96 * math.sqrt(expected * (1 - expected) / self.videos)


class Outcome(NamedTuple):
    """Everything the report and the table say."""

    contests: tuple[Score, ...]
    """Natural order: from pretrained weights and from scratch, for each budget of labels."""
    controls: tuple[Score, ...]
    """Still and shuffled frames, each from pretrained weights."""
    seconds: dict[str, float]
    """Wall-clock time of each part."""

    @property
    def budgets(self) -> list[int]:
        """Numbers of labels, fewest first."""
        return sorted({score.labels for score in self.contests})

    def contest(self, labels: int, start: Start) -> Score:
        """Return the score of one classifier of the contests."""
        return next(s for s in self.contests if (s.labels, s.start) == (labels, start))

    def gain(self, labels: int) -> float:
        """Return by how much the pretrained one is better, in points of top-1."""
        pretrained, scratch = (self.contest(labels, s).top1 for s in ("pretrained", "scratch"))
        return 100 * (pretrained - scratch)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table: labels, accuracy of both, gain."""
        return [
            (
                f"{labels:,}",
                f"{100 * self.contest(labels, 'pretrained').top1:.1f} %",
                f"{100 * self.contest(labels, 'scratch').top1:.1f} %",
                f"{self.gain(labels):+.1f} points",
            )
            for labels in self.budgets
        ]

    def lesson(self) -> str:
        """Say what the curve shows, whatever that is."""
        fewest, most = self.budgets[0], self.budgets[-1]
        first, last = self.gain(fewest), self.gain(most)
        found = (
            f"pretraining is worth {first:+.1f} points with {fewest} labels and {last:+.1f} with "
            f"{most}, after the same number of fine-tuning steps"
        )
        if first <= 0:
            return f"{found}: it did not help here"
        if last < first:
            return f"{found}: it pays most where labels are few"
        return f"{found}: over this range more labels do not make up for it"

    def notes(self) -> list[str]:
        """Say what the curve and the controls come to, one line each."""
        lines = [self.lesson()]
        for score in self.controls:
            if score.order == "still":
                found, expected, what = score.top1, CHANCE, "one frame repeated, top-1"
            else:
                found, expected, what = score.pair, TOSS, "frames shuffled, right one of each pair"
            lines.append(
                f"control, {what}: {100 * found:.1f} %, expected {100 * expected:.1f} "
                f"± {100 * score.margin(expected):.1f} % if only the order of frames counts"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "contests": [score._asdict() for score in self.contests],
            "controls": [score._asdict() for score in self.controls],
            "gain_points": {str(labels): self.gain(labels) for labels in self.budgets},
            "chance": CHANCE,
            "seconds": self.seconds,
        }


def score_of(result: Result, order: Order, start: Start, labels: int) -> Score:
    """Read a score from what an evaluation wrote."""
    with np.load(result.folder / "scores.npz") as scores:
        label_V, probability_VK = scores["label"], scores["probability"]
        classes = [str(name) for name in scores["classes"]]
    pair = _pair_accuracy(label_V, probability_VK, classes)
    return Score(order, start, labels, result.metrics["top1"], pair, len(label_V))


def opposite(motion: str) -> str:
    """Return the class that shows the same frames in reverse order."""
    return MOTIONS[MOTIONS.index(motion) ^ 1]


def _pair_accuracy(
    label_V: NDArray[np.int64], probability_VK: NDArray[np.float32], classes: Sequence[str]
) -> float:
    rival = np.array([classes.index(opposite(name)) for name in classes])
    each = np.arange(len(label_V))
    own, other = probability_VK[each, label_V], probability_VK[each, rival[label_V]]
    # a tie is half a hit: a model that never decides scores exactly a coin's toss
    return float((own > other).mean() + (own == other).mean() / 2)

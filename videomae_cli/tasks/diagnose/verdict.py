"""From the numbers a run has recorded to what a colleague would say about them.

A pure function of the lines of `metrics.jsonl`: normal, suspicious or diverged, and why. Thresholds
are wide: they are meant to name what is broken, not what could be better, and were set on healthy
small runs and on runs with a planted fault. A run called normal may still have learned little of
use; only an evaluation says that.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

Line = Mapping[str, float]
Word = Literal["normal", "suspicious", "diverged"]
ENOUGH_STEPS = 100  # after warm-up, before a loss that has not fallen means anything
ENOUGH_LINES = 8
WILD_RATE = 0.02  # AdamW moves every weight by about the rate, and weights are about this large
GUESSES = {"pretrain": "predicting the mean", "finetune": "guessing by frequency"}
"""What `trivial_loss` is the loss of."""
FLAT_SHARE = 0.25
LEAST_SPREAD = 1e-3
LEAST_RANK = 1.5


class TrainingCurve(NamedTuple):
    """What was recorded, and of what length of run."""

    kind: Literal["pretrain", "finetune"]
    steps: int
    warmup: int
    lines: Sequence[Line]
    """Of `metrics.jsonl`, in order."""
    failure: str = ""
    """What ended the run before its time, if it was the loss."""

    def column(self, name: str) -> list[float]:
        """Return all recorded values of a name, in order."""
        return [line[name] for line in self.lines if name in line]

    def last(self, name: str) -> float | None:
        """Return the newest recorded value of a name."""
        return next(iter(self.column(name)[::-1]), None)

    @property
    def step(self) -> int:
        """Steps behind us."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    @property
    def end_loss(self) -> float:
        """Median loss of the last tenth of the lines, three at least."""
        losses = self.column("loss")
        return median(losses[-max(3, len(losses) // 10) :])

    @property
    def best_loss(self) -> float:
        """Lowest median of three lines that follow one another."""
        losses = self.column("loss")
        return min(median(losses[first : first + 3]) for first in range(max(1, len(losses) - 2)))

    @property
    def has_wild_rate(self) -> bool:
        """Whether the rate was beyond what AdamW's steps allow."""
        return max(self.column("lr"), default=0.0) > WILD_RATE


class Finding(NamedTuple):
    """One thing that is wrong."""

    word: Word
    reason: str
    """A sentence: what was seen, with numbers, and what to do."""


class Verdict(NamedTuple):
    """What a run is called, and why; one reason at least."""

    word: Word
    reasons: tuple[str, ...]

    def headline(self) -> str:
        """Say it in one line."""
        return f"verdict: {self.word}: {'; '.join(self.reasons)}"


def diagnose(course: TrainingCurve) -> Verdict:
    """Say whether a run is normal, suspicious or diverged."""
    if course.failure:
        return Verdict("diverged", (course.failure, *_reasons(course)))
    if not course.column("loss"):
        return Verdict("normal", ("nothing has been logged yet",))
    found = [finding for rule in RULES if (finding := rule(course)) is not None]
    if found:
        worst: Word = "diverged" if any(f.word == "diverged" for f in found) else "suspicious"
        return Verdict(worst, tuple(finding.reason for finding in found))
    return Verdict("normal", (_praise(course),))


def _reasons(course: TrainingCurve) -> list[str]:
    found = [rule(course) for rule in RULES] if course.column("loss") else []
    return [finding.reason for finding in found if finding is not None]


def _not_finite(course: TrainingCurve) -> Finding | None:
    for line in course.lines:
        if not math.isfinite(line.get("loss", 0.0)):
            return Finding("diverged", f"the loss was {line['loss']} at step {line['step']:,.0f}")
    return None


def _skipped(course: TrainingCurve) -> Finding | None:
    skipped = course.last("skipped")
    if not skipped:
        return None
    return Finding(
        "suspicious",
        f"{skipped:.0f} steps were skipped, their loss or gradient was not finite: "
        f"{_rate_advice(course)}",
    )


def _rose(course: TrainingCurve) -> Finding | None:
    if len(course.column("loss")) < ENOUGH_LINES:
        return None
    end, best, trivial = course.end_loss, course.best_loss, course.last("trivial_loss")
    scale = trivial or course.column("loss")[0]
    is_worse_than_a_guess = trivial is not None and end > 1.2 * trivial
    if end < 1.25 * best or end - best < 0.1 * scale:
        return None
    said = f"the loss rose from {best:.3g} to {end:.3g}"
    if is_worse_than_a_guess:
        said += f", where {_guess(course)} gives {trivial:.3g}"
    return Finding(
        "diverged" if is_worse_than_a_guess or end > 2 * best else "suspicious",
        f"{said}: {_rate_advice(course)}",
    )


def _spiked(course: TrainingCurve) -> Finding | None:
    settled = [line for line in course.lines if "loss_max" in line]
    if len(settled) < ENOUGH_LINES:
        return None
    trivial = course.last("trivial_loss") or 0.0
    jumps = []
    for number in range(1, len(settled)):
        before = max(line["loss"] for line in settled[max(0, number - 3) : number])
        jump = settled[number]["loss_max"]
        if jump > 2 * before and jump - before > 0.25 * trivial:
            jumps.append((jump, before, settled[number]["step"]))
    if not jumps:
        return None
    jump, before, step = max(jumps)
    return Finding(
        "diverged" if trivial and jump > 5 * trivial else "suspicious",
        f"the loss jumped from {before:.3g} to {jump:.3g} by step {step:,.0f}: "
        f"{_rate_advice(course)}",
    )


def _no_better_than_a_guess(course: TrainingCurve) -> Finding | None:
    trivial = course.last("trivial_loss")
    half_way = course.step >= course.steps / 2
    is_long = course.step - course.warmup >= ENOUGH_STEPS
    if not (trivial and half_way and (is_long or course.has_wild_rate)):
        return None
    if course.end_loss < (0.98 if course.kind == "pretrain" else 0.995) * trivial:
        return None
    advice = (
        _rate_advice(course)
        if course.has_wild_rate
        else "nothing has been learned yet: train longer, or try another optim.base_lr"
    )
    return Finding(
        "diverged" if course.has_wild_rate else "suspicious",
        f"the loss {course.end_loss:.3g} is no better than {_guess(course)}, {trivial:.3g}: "
        f"{advice}",
    )


def _gradient(course: TrainingCurve) -> Finding | None:
    norms = course.column("grad_norm")
    if norms and max(norms[-3:]) < 1e-8:
        return Finding(
            "suspicious",
            f"the gradient is {norms[-1]:.3g}: nothing in the clips is left to learn from",
        )
    settled = [
        line["grad_norm"]
        for line in course.lines
        if "grad_norm" in line and line["step"] > course.warmup
    ]
    if len(settled) < 2 * ENOUGH_LINES:
        return None
    quarter = len(settled) // 4
    early, late = median(settled[:quarter]), median(settled[-quarter:])
    if late < 10 * early:
        return None
    return Finding(
        "suspicious",
        f"the gradient norm grew from {early:.3g} to {late:.3g}: {_rate_advice(course)}",
    )


def _collapsed(course: TrainingCurve) -> Finding | None:
    rank, spread = course.last("rank"), course.last("spread")
    if rank is None or spread is None or _flat(course) or _badly_normalised(course):
        return None  # it has no features to give, or its cause is named already
    if spread >= LEAST_SPREAD and rank >= LEAST_RANK:
        return None
    return Finding(
        "suspicious",
        f"the features have collapsed: effective rank {rank:.2g}, and {spread:.2g} of their length "
        f"differs from clip to clip: {_rate_advice(course)}",
    )


def _flat(course: TrainingCurve) -> Finding | None:
    flat = course.last("flat") or 0.0
    if flat < FLAT_SHARE:
        return None
    brightness = course.last("brightness") or 0.0
    colour = "black" if brightness < 0.05 else "of one colour"
    return Finding(
        "suspicious",
        f"{flat:.0%} of the clips looked at are all {colour}: look at the videos, and at how "
        "they are decoded",
    )


def _badly_normalised(course: TrainingCurve) -> Finding | None:
    mean, deviation = course.last("input_mean"), course.last("input_std")
    if mean is None or deviation is None or _flat(course):
        return None
    if 0.1 <= deviation <= 3 and abs(mean) <= 3:
        return None
    return Finding(
        "suspicious",
        f"after normalisation pixels have mean {mean:.3g} and deviation {deviation:.3g}, not about "
        "0 and 1: clip.mean and clip.std are for pixels from 0 to 1",
    )


def _frozen_order(course: TrainingCurve) -> Finding | None:
    marks = course.column("order")
    if len(marks) < 3 or len(set(marks)) > 1:
        return None
    return Finding(
        "suspicious",
        f"each of {len(marks)} epochs began with the same videos in the same order: the data order "
        "is frozen",
    )


RULES: tuple[Callable[[TrainingCurve], Finding | None], ...] = (
    _not_finite,
    _skipped,
    _rose,
    _spiked,
    _no_better_than_a_guess,
    _gradient,
    _collapsed,
    _flat,
    _badly_normalised,
    _frozen_order,
)


def _guess(course: TrainingCurve) -> str:
    return GUESSES[course.kind]


def _rate_advice(course: TrainingCurve) -> str:
    peak = max(course.column("lr"), default=0.0)
    if course.has_wild_rate:
        return f"the rate, up to {peak:.3g}, is far too high; lower optim.base_lr"
    return f"the rate, up to {peak:.3g}, may be too high; lower optim.base_lr or clip gradients"


def _praise(course: TrainingCurve) -> str:
    losses, trivial = course.column("loss"), course.last("trivial_loss")
    said = f"loss {losses[0]:.3g} to {course.end_loss:.3g}"
    said += f", {_guess(course)} gives {trivial:.3g}" if trivial else ""
    said += f", gradient norm {course.column('grad_norm')[-1]:.3g}"
    rank = course.last("rank")
    said += f", effective rank of the features {rank:.1f}" if rank is not None else ""
    if course.step - course.warmup < ENOUGH_STEPS:
        said += "; too few steps after warm-up to say more"
    return said

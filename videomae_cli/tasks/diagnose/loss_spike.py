"""Jumps of the loss of a run, told apart from the scatter of small batches.

One step of a small batch can have many times the loss of the others, because its videos are hard.
The steps before and after it are normal then, so the weights are. Only a rise that other steps
share is a jump. Means over at least 10 steps, each without its highest step, are therefore compared
with such means before them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from videomae_cli.tasks.diagnose.training_curve import TrainingCurve

MIN_STEPS = 10  # averaged into one mean; lines of the log that have fewer are joined
WINDOW = 16  # means before a mean that it is compared with
MIN_BEFORE = 8  # means before the first one that is judged: they show the scatter
MIN_RATIO = 2.0
MIN_RISE = 0.5  # fraction of the baseline's loss
MIN_SCATTERS = 1.5
OFFSET = 0.1  # fraction of the baseline's loss; scatter far below the baseline counts little


class Spike(NamedTuple):
    """A jump of the loss; mean losses of at least 10 steps."""

    peak: float
    before: float
    """Mean loss just before it."""
    step: int
    """Last step of those whose mean is `peak`."""


class _Interval(NamedTuple):
    """Consecutive steps of a run."""

    step: int
    """The last of them."""
    loss: float
    """Mean."""
    rest: float
    """Mean without the step that has the highest loss."""


def find_spike(curve: TrainingCurve) -> Spike | None:
    """Return the highest jump of the loss; None if there is none.

    A mean is a jump if it is more than twice the highest of the 16 means before it, higher than
    that by half of the baseline's loss, and if this rise, on a logarithmic scale, is more than 1.5
    times the largest rise between neighbours up to then. The first 8 means are not judged: a jump
    there that stays is a loss that has risen.
    """
    intervals = _split(curve)
    if len(intervals) <= MIN_BEFORE:
        return None
    baseline = curve.last("trivial_loss") or max(intervals[0].loss, math.ulp(1.0))
    rests = [interval.rest for interval in intervals]
    spikes = [
        Spike(intervals[number].loss, intervals[number - 1].loss, intervals[number].step)
        for number in range(MIN_BEFORE, len(rests))
        if _is_jump(rests, number, baseline)
    ]
    return max(spikes, default=None)


def _is_jump(losses: Sequence[float], number: int, baseline: float) -> bool:
    """Return whether one of these mean losses is far outside the scatter of those before it."""
    highest, last = max(losses[max(0, number - WINDOW) : number]), losses[number]
    if last <= MIN_RATIO * highest or last - highest <= MIN_RISE * baseline:
        return False
    logs = [math.log(loss + OFFSET * baseline) for loss in losses[:number]]
    largest_rise = max(after - before for before, after in pairwise(logs))
    rise = math.log((last + OFFSET * baseline) / (highest + OFFSET * baseline))
    return rise > MIN_SCATTERS * largest_rise


def _split(curve: TrainingCurve) -> list[_Interval]:
    """Join the logged lines to intervals of at least `MIN_STEPS`; steps left over are not judged.

    Lines whose loss is not finite are left out; they are a finding of their own.
    """
    intervals = []
    first, total, highest = 0, 0.0, 0.0  # of the interval that is being joined
    logged = 0  # last step of the line before
    for line in curve.lines:
        if "loss_max" not in line or not math.isfinite(line["loss"] + line["loss_max"]):
            continue
        step = int(line["step"])
        total += (step - logged) * line["loss"]
        highest = max(highest, line["loss_max"])
        logged = step
        steps = step - first
        if steps >= MIN_STEPS:
            rest = max(0.0, (total - highest) / (steps - 1))
            intervals.append(_Interval(step, total / steps, rest))
            first, total, highest = step, 0.0, 0.0
    return intervals

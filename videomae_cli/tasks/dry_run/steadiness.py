"""Decide from the times of steps which of them count, and when enough were measured.

The estimate is the mean of the steps after a warm-up. It is not their median: with several workers,
waits for data come at every few steps, and a run pays for them too.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import NamedTuple

STEADY = 0.02  # standard error of the mean, as a share of it, at which the mean is steady
WARM_UP_SECONDS, MAX_WARM_UP_STEPS = 2.0, 20  # at least one step is left out
MIN_STEPS = 5  # measured steps that show their spread ...
LONG_SECONDS = 10.0  # ... but two are enough if they take this long: each averages over much
MAX_SECONDS, MAX_STEPS = 25.0, 40  # of measured steps; then it is not steady and ends nevertheless
MIN_DECODE_SECONDS, MAX_DECODE_SECONDS = 1.0, 5.0
MIN_DECODE_ROUNDS, STEADY_DECODING = 8, 0.05


class MeasuredSteps(NamedTuple):
    """The steps on which an estimate stands."""

    steps: int
    """After the warm-up."""
    accumulation: int
    """Micro-batches of each; fewer than in the run if they take long."""
    error: float
    """Standard error of the mean time of a step, as a share of it."""


def count_warm_up(times: Sequence[float]) -> int:
    """Return how many of the first steps, with these seconds each, do not count.

    They allocate memory, make kernels and fill the queue of clips.
    """
    total = 0.0
    for number, seconds in enumerate(times[:MAX_WARM_UP_STEPS], start=1):
        total += seconds
        if total >= WARM_UP_SECONDS:
            return number
    return min(len(times), MAX_WARM_UP_STEPS)


def relative_error(times: Sequence[float]) -> float:
    """Return the standard error of the mean of times as a share of it; infinite for one time."""
    if len(times) < 2:
        return math.inf
    return stdev(times) / math.sqrt(len(times)) / mean(times)


def has_enough_steps(times: Sequence[float], queued: int = 0) -> bool:
    """Return whether the steps so far, with these seconds each, suffice; the first is a warm-up.

    Fewer than `queued` steps are enough only if they take long: their clips may have been decoded
    while others were waited for, so they do not show how fast clips are decoded.
    """
    measured = times[count_warm_up(times) :]
    count, seconds = len(measured), sum(measured)
    if count < 2:
        return False
    if count >= MAX_STEPS or seconds >= MAX_SECONDS:
        return True
    if count < queued or (count < MIN_STEPS and seconds < LONG_SECONDS):
        return False
    return relative_error(measured) <= STEADY


def has_enough_clips(arrivals: Sequence[float], workers: int) -> bool:
    """Return whether clips that arrived at these seconds show how fast `workers` decode.

    The first clips of all workers arrive together, so whole rounds of them are compared.
    """
    if len(arrivals) <= 2 * workers:
        return False
    elapsed = arrivals[-1] - arrivals[0]
    if elapsed >= MAX_DECODE_SECONDS:
        return True
    rounds = [after - before for before, after in pairwise(arrivals[workers - 1 :: workers])]
    is_long = elapsed >= MIN_DECODE_SECONDS and len(rounds) >= MIN_DECODE_ROUNDS
    return is_long and relative_error(rounds) <= STEADY_DECODING

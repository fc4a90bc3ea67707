"""Effects over paired seeds: mean, interval and verdict."""

import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scipy.stats import t as student_t

LEVEL = 0.95
LEAST_EFFECT = 1.0
"""Points of top-1; a smaller effect is not called one."""
Verdict = Literal["holds", "fails", "cannot be told", "not measured yet"]


class Effect(NamedTuple):
    """The mean of paired differences, in points, and its interval."""

    mean: float
    low: float
    high: float


def estimate_effect(differences: Sequence[float]) -> Effect | None:
    """Return mean and t interval of the differences of at least two seeds; None for fewer.

    The interval is mean ± t s / √n with n - 1 degrees of freedom, where s is the sample standard
    deviation: Student's interval for paired samples. It takes differences as normal, which five
    values cannot show.
    """
    count = len(differences)
    if count < 2:
        return None
    mean = statistics.fmean(differences)
    quantile = float(student_t.ppf((1 + LEVEL) / 2, count - 1))
    half = quantile * statistics.stdev(differences) / count**0.5
    return Effect(mean, mean - half, mean + half)


def decide(effect: Effect | None, least: float = LEAST_EFFECT) -> Verdict:
    """Return what an effect says about a claim that expects it to be positive.

    It holds if the whole interval is above the least effect, and fails if the whole interval is
    below 0.
    """
    if effect is None:
        return "not measured yet"
    if effect.low > least:
        return "holds"
    return "fails" if effect.high < 0 else "cannot be told"

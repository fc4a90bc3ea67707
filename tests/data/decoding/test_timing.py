"""Rates and times of frames, also of damaged files whose times go back."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from videomae_cli.data.decoding.timing import find_rate, find_times


def stream(rate: Fraction | None) -> SimpleNamespace:
    return SimpleNamespace(average_rate=rate, guessed_rate=None)


@pytest.mark.parametrize(
    ("stated", "seconds", "rate"),
    [
        (Fraction(25), [0.0, 0.04, 0.08], 25.0),
        (Fraction(60000), [0.0, 0.04, 0.08], 25.0),  # absurd
        (Fraction(60000), [0.08, 0.04, 0.0], 25.0),
        (Fraction(60000), [9.0, 9.04, 0.0, 0.04], 3 / 9.04),
        (Fraction(30), [1.0, 1.0], 30.0),
        (None, [1.0], 0.0),
        (None, [], 0.0),
    ],
)
def test_rate_is_never_negative(stated: Fraction | None, seconds: list[float], rate: float) -> None:
    assert find_rate(stream(stated), seconds) == pytest.approx(rate)


def test_times_that_go_back_are_not_stored() -> None:
    assert find_times([0.0, 0.5, 0.6], 25.0) == (0.0, 0.5, 0.6)
    assert find_times([0.0, 0.5, 0.4], 25.0) == ()

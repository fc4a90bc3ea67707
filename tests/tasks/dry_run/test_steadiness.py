"""When a dry run ends, from the times of steps given."""

import itertools
import math
from collections.abc import Iterable

import pytest

from videomae_cli.tasks.dry_run.steadiness import (
    count_warm_up,
    has_enough_clips,
    has_enough_steps,
    relative_error,
)


def count_steps(times: Iterable[float]) -> tuple[int, int]:
    """Return the steps that a dry run takes of an endless run: all, and those that count."""
    seen: list[float] = []
    for seconds in times:
        seen.append(seconds)
        if has_enough_steps(seen):
            break
    return len(seen), len(seen) - count_warm_up(seen)


def endless(start: list[float], *cycle: float) -> Iterable[float]:
    return itertools.chain(start, itertools.cycle(cycle))


@pytest.mark.parametrize(
    ("start", "cycle", "steps", "measured"),
    [
        ([12.0], (10.0, 10.1), 3, 2),  # batches of 64 clips: one to warm up and two, not 2 + 3
        ([3.0], (1.0, 1.02), 6, 5),
        ([1.5, 0.7], (0.7, 0.69), 7, 5),
        ([0.5], (0.1,), 21, 5),  # 1 + 15 steps fill two seconds
        ([], (0.01,), 25, 5),  # at most 20 steps are a warm-up
        ([40.0], (30.0, 30.1), 3, 2),  # never fewer than two
    ],
)
def test_steady_steps_end_it_early(
    start: list[float], cycle: tuple[float, ...], steps: int, measured: int
) -> None:
    assert count_steps(endless(start, *cycle)) == (steps, measured)


def test_waits_that_come_with_every_fourth_step_are_averaged_over_many() -> None:
    waits = (0.2, 0.2, 0.2, 1.0)

    total, measured = count_steps(endless([2.0], *waits))

    assert measured == 40, "until the cap: it is not steady"
    assert total == 41


def test_calm_steps_are_measured_until_no_clip_was_decoded_ahead() -> None:
    calm = [2.0, *[0.5] * 30]

    enough = [n for n in range(len(calm)) if has_enough_steps(calm[:n], queued=12)]

    assert enough[0] == 1 + 12
    assert has_enough_steps([9.0, 13.0, 13.0], queued=12), "it takes too long"


def test_it_ends_when_it_takes_too_long_and_is_not_steady() -> None:
    total, measured = count_steps(endless([9.0], 3.0, 9.0))

    assert (total, measured) == (6, 5), "3 + 9 + 3 + 9 + 3 seconds are more than 25"


def test_one_slow_step_keeps_it_going() -> None:
    calm = count_steps(endless([2.5], 1.0, 1.01))[1]
    disturbed = count_steps(endless([2.5, 1.0, 2.0], 1.0, 1.01))[1]

    assert disturbed > 2 * calm


def test_the_error_is_that_of_the_mean() -> None:
    assert relative_error([1.0]) == math.inf
    assert relative_error([2.0, 2.0, 2.0]) == 0.0
    assert relative_error([1.0, 3.0]) == pytest.approx(0.5)  # std of sqrt(2), over sqrt(2) times 2


def arrivals(workers: int, round_seconds: float, jitter: float, clips: int) -> list[float]:
    """Return when clips arrive: those of all workers together, after rounds of varying length."""
    return [
        (number // workers) * round_seconds + (number // workers % 2) * jitter
        for number in range(clips)
    ]


@pytest.mark.parametrize(
    ("workers", "round_seconds", "jitter", "clips"),
    [
        (1, 0.2, 0.0, 9),  # eight rounds
        (4, 0.2, 0.0, 36),
        (2, 0.01, 0.0, 201),  # a second
        (2, 0.5, 0.4, 21),  # 0.9, 0.1, 0.9, ...: never steady, so five seconds
        (2, 9.0, 0.0, 5),  # more than the first clips of all workers, twice
    ],
)
def test_decoding_is_watched_until_its_rounds_are_steady(
    workers: int, round_seconds: float, jitter: float, clips: int
) -> None:
    seen = arrivals(workers, round_seconds, jitter, 1000)

    counts = (n for n in range(1, 1000) if has_enough_clips(seen[:n], workers))

    assert next(counts) == clips

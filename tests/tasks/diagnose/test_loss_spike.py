"""Jumps of the loss: none in healthy runs of small batches, found where the weights were wrong."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from videomae_cli.engine.logging.metrics import add_step, pop_averages
from videomae_cli.tasks.diagnose.loss_spike import find_spike
from videomae_cli.tasks.diagnose.training_curve import Line, TrainingCurve
from videomae_cli.tasks.diagnose.verdict import diagnose

Losses = NDArray[np.float64]
STEPS = 1000
SEEDS = range(12)


def logged(losses: Losses, trivial: float, every: int = 10) -> TrainingCurve:
    """Return the curve that a run with these losses of its steps logs."""
    lines: list[Line] = []
    stats: dict[str, float] = {}
    for number, loss in enumerate(losses.tolist()):
        add_step(stats, loss=loss, grad_norm=0.5)
        if (number + 1) % every == 0:
            values = {"step": number + 1.0, "lr": 1e-3, "trivial_loss": trivial}
            lines.append({**values, **pop_averages(stats)})
    return TrainingCurve("finetune", len(losses), 20, lines)


def falling(start: float, end: float) -> Losses:
    return end + (start - end) * np.exp(-np.arange(STEPS) / 150)


def pretraining(rng: np.random.Generator) -> Losses:
    return falling(1.2, 0.6) * rng.lognormal(0, 0.3, STEPS)


def four_videos(rng: np.random.Generator) -> Losses:
    """A classifier that is nearly always right, and badly wrong in one step of 50."""
    is_wrong = (rng.random(STEPS) < 0.02) & (np.arange(STEPS) > 200)
    return falling(2.3, 0.03) * rng.gamma(2, 0.5, STEPS) + is_wrong * rng.gamma(4, 0.5, STEPS)


def two_videos(rng: np.random.Generator) -> Losses:
    return falling(2.3, 0.3) * rng.lognormal(-0.3, 0.8, STEPS)


def squared_errors(rng: np.random.Generator) -> Losses:
    """A regression with one target and two videos in a step: chi-squared, 2 degrees of freedom."""
    return falling(1.0, 0.2) * rng.gamma(1.0, 1.0, STEPS)


HEALTHY: dict[Callable[[np.random.Generator], Losses], float] = {
    pretraining: 0.99,
    four_videos: math.log(10),
    two_videos: math.log(10),
    squared_errors: 1.0,
}
"""Losses of the steps of small batches, and the loss of their baseline."""


@pytest.mark.parametrize("run", HEALTHY, ids=lambda run: run.__name__)
@pytest.mark.parametrize("every", [1, 10, 20])
def test_a_healthy_run_of_small_batches_is_normal(
    run: Callable[[np.random.Generator], Losses], every: int
) -> None:
    for seed in SEEDS:
        verdict = diagnose(logged(run(np.random.default_rng(seed)), HEALTHY[run], every))

        assert verdict.word == "normal", (seed, verdict.reasons)


def test_the_healthy_runs_scatter_more_than_their_means_allow() -> None:
    """All of them have steps far above twice the mean of the lines before."""
    for run, trivial in HEALTHY.items():
        lines = logged(run(np.random.default_rng(0)), trivial).lines
        outliers = [
            after["loss_max"]
            for before, after in pairwise(lines)
            if after["loss_max"] > 2 * before["loss"] + 0.25 * trivial
        ]
        assert len(outliers) >= (1 if run is pretraining else 5), run.__name__


JUMPS: dict[str, tuple[slice, float, str]] = {
    "for a line": (slice(600, 610), 9.0, "suspicious"),
    "for some steps": (slice(603, 609), 12.0, "suspicious"),
    "over two lines": (slice(595, 605), 12.0, "suspicious"),
    "far, for a line": (slice(600, 610), 30.0, "diverged"),
    "and stays": (slice(600, STEPS), 9.0, "diverged"),
    "at the end": (slice(STEPS - 10, STEPS), 9.0, "suspicious"),
}


@pytest.mark.parametrize("where", JUMPS)
@pytest.mark.parametrize("run", [pretraining, four_videos], ids=lambda run: run.__name__)
@pytest.mark.parametrize("every", [1, 10])
def test_a_jump_that_several_steps_share_is_found(
    where: str, run: Callable[[np.random.Generator], Losses], every: int
) -> None:
    steps, loss, word = JUMPS[where]
    trivial = HEALTHY[run]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        losses = run(rng)
        losses[steps] = loss * trivial / 2.3 * rng.lognormal(0, 0.1, len(losses[steps]))
        verdict = diagnose(logged(losses, trivial, every))

        assert verdict.word == word, (seed, verdict.reasons)
        assert any("the loss jumped from" in reason for reason in verdict.reasons), seed


def test_a_spike_is_told_in_means_of_the_log_with_its_step() -> None:
    losses = np.full(STEPS, 0.5)
    losses[400:420] = [*[4.0] * 10, *[3.0] * 10]

    spike = find_spike(logged(losses, 1.0))

    assert spike == (4.0, 0.5, 410)


def test_one_step_alone_is_no_jump() -> None:
    losses = np.full(STEPS, 0.5)
    losses[405] = 9.0
    assert find_spike(logged(losses, 1.0)) is None

    losses[406:408] = 9.0
    assert find_spike(logged(losses, 1.0)) == (pytest.approx(3.05), 0.5, 410)


def test_a_jump_within_the_scatter_of_the_lines_before_is_none() -> None:
    """The same jump is one where the lines before scatter little."""
    quiet, wild = np.full(STEPS, 0.5), np.full(STEPS, 0.5)
    wild.reshape(-1, 10)[::7] = 0.1
    for losses in (quiet, wild):
        losses[500:510] = 2.5

    assert find_spike(logged(quiet, 1.0)) == (2.5, 0.5, 510)
    assert find_spike(logged(wild, 1.0)) is None


def test_losses_that_are_not_finite_and_lines_of_validation_are_left_out() -> None:
    losses = np.full(STEPS, 0.5)
    losses[500:510] = 4.0
    curve = logged(losses, 1.0)
    lines = list(curve.lines)
    lines[20] = {**lines[20], "loss": math.nan}
    lines.insert(30, {"step": 305.0, "val_top1": 0.5})
    lines.insert(40, {"step": 395.0, "skipped": 2.0})

    assert find_spike(curve._replace(lines=lines)) == (4.0, 0.5, 510)


def test_a_curve_that_is_short_or_all_zero_has_no_spike() -> None:
    assert find_spike(logged(np.full(80, 0.5), 1.0)) is None
    assert find_spike(logged(np.zeros(STEPS), 0.0)) is None

"""Synthetic training curves: each fault gets its verdict, and the reason names the fault."""

import math
import re

import pytest

from videomae_cli.tasks.diagnose.training_curve import Line, TrainingCurve
from videomae_cli.tasks.diagnose.verdict import diagnose

HEALTHY_PROBE = {
    "trivial_loss": 0.99,
    "rank": 9.0,
    "spread": 0.3,
    "brightness": 0.4,
    "flat": 0.0,
    "input_mean": 0.2,
    "input_std": 1.1,
}


def curve(
    losses: list[float], *, lr: float = 1e-3, norms: list[float] | None = None, **probe: float
) -> TrainingCurve:
    """Return a curve with a line every 10 steps, each with a probe."""
    norms = norms or [0.5] * len(losses)
    lines: list[Line] = [
        {
            "step": 10.0 * (number + 1),
            "epoch": number / 2,
            "lr": lr,
            "loss": loss,
            "loss_max": 1.05 * loss,
            "grad_norm": norm,
            "grad_norm_max": 2 * norm,
            "order": float(number),
            **HEALTHY_PROBE,
            **probe,
        }
        for number, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]
    return TrainingCurve("pretrain", 10 * len(losses), 20, lines)


FALLING = [0.6 + 0.6 * math.exp(-number / 5) for number in range(30)]


def test_a_falling_loss_is_normal_and_the_reason_says_how_far_it_fell() -> None:
    verdict = diagnose(curve(FALLING))

    assert verdict.word == "normal"
    assert "1.2 to 0.60" in verdict.headline()
    assert "predicting the mean gives 0.99" in verdict.headline()


def test_a_loss_that_falls_from_a_high_start_is_no_jump() -> None:
    assert diagnose(curve([40.0, 12.0, 4.0, 1.5, *FALLING])).word == "normal"


@pytest.mark.parametrize(
    ("losses", "word", "reason"),
    [
        ([*FALLING, *[3.0] * 10], "diverged", "rose from 0.602 to 3"),
        ([*FALLING, *[0.8] * 10], "suspicious", "rose from 0.602 to 0.8"),
        ([*FALLING, 9.0, *FALLING[20:]], "diverged", "jumped from 0.603 to 9.45"),
        ([*FALLING, 1.5, *FALLING[20:]], "suspicious", "jumped from 0.603 to 1.58"),
        ([1.0] * 30, "suspicious", "no better than predicting the mean, 0.99"),
        ([*FALLING, math.nan], "diverged", "the loss was nan at step 310"),
    ],
)
def test_a_loss_that_goes_wrong_is_named(losses: list[float], word: str, reason: str) -> None:
    verdict = diagnose(curve(losses))

    assert verdict.word == word
    assert reason in verdict.headline()


def test_an_excessive_learning_rate_is_named_as_the_cause() -> None:
    verdict = diagnose(curve([*FALLING, *[3.0] * 10], lr=2.0))

    assert "the learning rate (up to 2) is far too high; lower optim.base_lr" in verdict.headline()


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ({"flat": 1.0, "brightness": 0.0, "rank": 0.0, "spread": 0.0}, "100% .* entirely black"),
        ({"input_std": 0.002, "spread": 1e-5}, "clip.mean and clip.std are for pixels from 0"),
        ({"input_mean": -40.0}, "normalised pixels have mean -40"),
        ({"rank": 1.1}, "features have collapsed: effective rank 1.1"),
        ({"spread": 1e-5}, "features have collapsed"),
        ({"order": 7.0}, "not shuffled anew each epoch"),
    ],
)
def test_a_fault_that_a_probe_finds_is_the_only_reason(
    probe: dict[str, float], reason: str
) -> None:
    verdict = diagnose(curve(FALLING, **probe))

    assert verdict.word == "suspicious"
    assert len(verdict.reasons) == 1
    assert re.search(reason, verdict.reasons[0])


def test_gradients_that_vanish_or_grow_are_named() -> None:
    vanished = diagnose(curve(FALLING, norms=[0.0] * 30))
    grown = diagnose(curve(FALLING, norms=[0.1 * 1.3**number for number in range(30)]))

    assert "the model can learn nothing from these clips" in vanished.headline()
    assert "the gradient norm grew from" in grown.headline()


def test_a_run_with_few_steps_is_normal_with_a_caveat() -> None:
    verdict = diagnose(curve([1.2, 1.1, 1.05]))

    assert verdict.word == "normal"
    assert "too few steps" in verdict.headline()


def test_two_epochs_that_begin_alike_are_no_fault_yet() -> None:
    assert diagnose(curve(FALLING[:2], order=7.0)).word == "normal"


def test_a_run_that_ended_with_a_nan_loss_has_diverged() -> None:
    ended = curve(FALLING, lr=2.0)._replace(failure="step 300: loss nan")

    assert diagnose(ended).word == "diverged"
    assert diagnose(ended).reasons[0] == "step 300: loss nan"


def test_skipped_steps_are_counted() -> None:
    falling = curve(FALLING)
    skipped = falling._replace(lines=[*falling.lines, {"step": 305.0, "skipped": 2.0}])

    assert diagnose(skipped).word == "suspicious"
    assert "2 steps were skipped because" in diagnose(skipped).reasons[0]


def test_a_run_without_logged_lines_is_normal() -> None:
    assert diagnose(TrainingCurve("finetune", 10, 1, [])).reasons == (
        "nothing has been logged yet",
    )

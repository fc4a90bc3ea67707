"""Verdicts on multi-label and regression runs: no false alarm, and what is wrong is named."""

import math

import pytest

from tests.tasks.diagnose.test_verdict import FALLING, curve
from videomae_cli.config.model import Task
from videomae_cli.tasks.diagnose.training_curve import TrainingCurve
from videomae_cli.tasks.diagnose.verdict import diagnose

FLAT = [0.69 + 0.001 * math.sin(number) for number in range(30)]


def finetuning(task: Task, losses: list[float], **probe: float) -> TrainingCurve:
    return curve(losses, lr=1e-3, norms=None, **probe)._replace(kind="finetune", task=task)


@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_a_run_that_learns_one_value_well_has_not_collapsed(task: Task) -> None:
    """Features that differ along one direction only have an effective rank of 1."""
    losses = [0.5 * math.exp(-number / 20) for number in range(30)]

    verdict = diagnose(finetuning(task, losses, trivial_loss=0.5, rank=1.05, spread=0.3))

    assert verdict.word == "normal", verdict.reasons


@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_features_that_hardly_differ_have_collapsed(task: Task) -> None:
    verdict = diagnose(finetuning(task, FLAT, trivial_loss=1.0, rank=1.05, spread=1e-5))

    assert "the features have collapsed" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("task", "baseline"),
    [
        ("multi-label", "predicting the frequency of each class"),
        ("regression", "predicting the mean"),
    ],
)
def test_a_loss_no_better_than_a_constant_names_that_constant(task: Task, baseline: str) -> None:
    verdict = diagnose(finetuning(task, FLAT, trivial_loss=0.69))

    assert verdict.word == "suspicious"
    assert f"is no better than {baseline}, 0.69" in " ".join(verdict.reasons)


def test_a_validation_that_is_worse_than_the_mean_is_suspicious() -> None:
    verdict = diagnose(finetuning("regression", FALLING, val_mae=1.5, val_r2=-0.2))

    assert verdict.word == "suspicious"
    assert "validation R2 -0.20: no better than giving the mean" in verdict.reasons[0]


def test_a_healthy_run_shows_its_validation() -> None:
    several = diagnose(finetuning("multi-label", FALLING, trivial_loss=2.0, val_map=0.91))
    values = diagnose(finetuning("regression", FALLING, trivial_loss=2.0, val_mae=0.1, val_r2=0.9))

    assert "validation mAP 91.0%" in several.reasons[0]
    assert "validation mean absolute error 0.1, validation R2 0.900" in values.reasons[0]

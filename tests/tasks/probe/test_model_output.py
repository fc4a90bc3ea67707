"""Videos without finite outputs, and intervals, in the comparison of a model with baselines."""

import numpy as np
import pytest

from videomae_cli.config.model import Task
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.probe.evaluate_with_probes import make_output
from videomae_cli.tasks.probe.measures import measure_output
from videomae_cli.tasks.probe.samples import Target

PATHS = ["a", "b", "c", "d"]


def make_scores(task: Task) -> tuple[Scores, Target]:
    output_VK = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8], [0.7, 0.3]], dtype=np.float32)
    target_VK = np.array([[1.0, 0], [1, 0], [0, 1], [1, 0]])
    value = target_VK[:, 1].astype(np.int64) if task == "single-label" else target_VK
    return Scores(np.arange(4), value, output_VK, task=task), Target(task, value, 2, None)


@pytest.mark.parametrize(("task", "key"), [("single-label", "top1"), ("multi-label", "map")])
def test_a_video_without_finite_outputs_counts_as_in_the_result(task: Task, key: str) -> None:
    scores, target = make_scores(task)

    output = make_output(scores, PATHS)

    assert np.isfinite(output.output_VK).all()
    measure = measure_output(target, output.output_VK)
    assert measure.interval.value == pytest.approx(scores.metrics()[key])
    assert measure.interval.value < 1 or task == "multi-label"


def test_values_that_are_not_finite_are_left_out() -> None:
    output = make_output(make_scores("regression")[0], PATHS)

    assert output.paths == ["a", "c", "d"]
    assert np.isfinite(output.output_VK).all()


def test_no_interval_of_a_map_ends_above_1() -> None:
    rng = np.random.default_rng(0)
    target_VK = (rng.random((16, 3)) < 0.5).astype(np.float64)
    target = Target("multi-label", target_VK, 3, None)

    for noise in (0.3, 0.5, 0.6):
        interval = measure_output(target, target_VK + rng.normal(0, noise, (16, 3))).interval
        assert interval.low <= interval.value <= interval.high <= 1

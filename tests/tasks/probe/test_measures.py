"""Measures agree with scikit-learn; intervals cover what they shall."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from videomae_cli.tasks.probe.measures import (
    bootstrap,
    compare_outputs,
    make_auc,
    make_metric,
    measure_output,
    measure_seeds,
)
from videomae_cli.tasks.probe.samples import Target


@pytest.mark.parametrize("seed", range(20))
def test_map_agrees_with_scikit_learn_with_ties_weights_and_absent_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target_VK = (rng.random((30, 4)) < 0.3).astype(np.float64)
    target_VK[:, 3] = 0
    output_VK = rng.integers(5, size=(30, 4)).astype(np.float32) / 4
    weight_V = rng.integers(3, size=30).astype(np.float64)
    metric = make_metric(Target("multi-label", target_VK, 4), output_VK)
    occurs = [k for k in range(4) if (weight_V * target_VK[:, k]).sum() > 0]

    expected = [
        average_precision_score(target_VK[:, k], output_VK[:, k], sample_weight=weight_V)
        for k in occurs
    ]

    assert metric(weight_V) == pytest.approx(np.mean(expected), abs=1e-12)


def test_r2_agrees_with_scikit_learn_with_weights() -> None:
    rng = np.random.default_rng(0)
    target_VK, weight_V = rng.standard_normal((40, 3)), rng.integers(1, 4, size=40).astype(float)
    output_VK = (target_VK + 0.5 * rng.standard_normal((40, 3))).astype(np.float32)
    metric = make_metric(Target("regression", target_VK, 3), output_VK)

    expected = r2_score(target_VK, output_VK.astype(np.float64), sample_weight=weight_V)

    assert metric(weight_V) == pytest.approx(expected)


def test_auc_counts_the_pairs_that_are_in_order() -> None:
    label_V = np.array([0, 0, 1, 1])
    output_VK = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.2, 0.8]], np.float32)
    auc = make_auc(label_V, output_VK)

    # of the four pairs, three are in order and one is a tie
    assert auc(np.ones(4)) == pytest.approx(3.5 / 4)
    # the tie (videos 1 and 2) counts 2 x 3 times, the other pairs 1 x 3, 1 x 1 and 2 x 1
    assert auc(np.array([1.0, 2.0, 3.0, 1.0])) == pytest.approx((3 + 1 + 2 + 6 / 2) / 12)
    assert np.isnan(auc(np.array([1.0, 1.0, 0.0, 0.0])))


@pytest.mark.parametrize("seed", range(3))
def test_auc_agrees_with_scikit_learn_with_ties_and_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label_V, weight_V = rng.integers(0, 3, 60), rng.integers(0, 4, 60).astype(float)
    output_VK = rng.integers(0, 6, (60, 3)).astype(np.float32)

    expected = [
        roc_auc_score(label_V == k, output_VK[:, k], sample_weight=weight_V) for k in range(3)
    ]

    assert make_auc(label_V, output_VK)(weight_V) == pytest.approx(np.mean(expected))


def test_a_bootstrap_over_two_sources_has_three_outcomes() -> None:
    """All clips of one source are right, all of the other are wrong."""
    is_right_V = np.repeat([1, 0], 50)
    output_VK = np.stack([1 - is_right_V, is_right_V], axis=1).astype(np.float32)
    target = Target("single-label", np.ones(100, np.int64), 2, np.repeat([7, 3], 50))

    by_source = bootstrap([make_metric(target, output_VK)], target)
    by_clip = bootstrap([make_metric(target, output_VK)], target._replace(group_V=None))

    # both sources once in half of the samples, one of them twice in a quarter each: 0, 0.5 or 1
    assert by_source == (0.5, 0.0, 1.0)
    assert 0.35 < by_clip.low < 0.45
    assert 0.55 < by_clip.high < 0.65


def test_the_interval_of_an_accuracy_is_about_that_of_the_binomial_distribution() -> None:
    label_V = np.zeros(100, dtype=np.int64)
    output_VK = np.zeros((100, 2), dtype=np.float32)
    output_VK[:70, 0] = output_VK[70:, 1] = 1

    measure = measure_output(Target("single-label", label_V, 2), output_VK)

    assert measure.interval.value == pytest.approx(0.7)
    assert measure.interval.low == pytest.approx(0.61, abs=0.02)
    assert measure.interval.high == pytest.approx(0.79, abs=0.02)
    assert measure.auc is None  # one class only


def test_clips_of_few_sources_give_a_wider_interval() -> None:
    correct_V = np.repeat([1, 1, 1, 0, 1, 0, 1, 1, 0, 1], 20)
    output_VK = np.stack([correct_V, 1 - correct_V], axis=1).astype(np.float32)
    label_V = np.zeros(200, dtype=np.int64)
    widths = []
    for group_V in (None, np.repeat(np.arange(10), 20)):
        interval = measure_output(Target("single-label", label_V, 2, group_V), output_VK).interval
        widths.append(interval.high - interval.low)

    assert widths[1] > 3 * widths[0]


def test_a_difference_is_measured_on_the_same_videos() -> None:
    rng = np.random.default_rng(1)
    label_V = rng.integers(2, size=200)
    good, equal = np.eye(2, dtype=np.float32)[label_V], np.eye(2, dtype=np.float32)[label_V]
    good[:80] = equal[:80] = equal[:80, ::-1]  # both are wrong on the same 80 videos
    equal[80:100] = equal[80:100, ::-1]
    target = Target("single-label", label_V, 2)

    difference = compare_outputs(target, good, equal)

    assert difference.value == pytest.approx(0.1)
    assert difference.is_positive and difference.high - difference.low < 0.1
    assert compare_outputs(target, good, good) == (0, 0, 0)


def test_an_interval_over_seeds_is_wider_if_the_seeds_disagree() -> None:
    target = Target("single-label", np.zeros(1000, dtype=np.int64), 1)

    same = bootstrap([lambda _: 0.5] * 5, target)
    apart = bootstrap([lambda _, value=value: value for value in (0.3, 0.4, 0.5, 0.6, 0.7)], target)

    assert same == (0.5, 0.5, 0.5)
    assert apart.value == pytest.approx(0.5)
    assert apart.low < 0.42 and apart.high > 0.58


def test_all_right_is_not_certain_and_one_source_says_nothing_of_others() -> None:
    label_V = np.zeros(20, dtype=np.int64)
    output_VK = np.tile(np.float32([1, 0]), (20, 1))

    all_right = measure_output(Target("single-label", label_V, 2), output_VK).interval
    one_source = Target("single-label", label_V, 2, label_V)
    difference = compare_outputs(one_source, output_VK, output_VK[:, ::-1])

    assert all_right.format("single-label") == "100.0 % [83.2, 100.0]"
    assert measure_output(one_source, output_VK).interval.low == pytest.approx(0.025)
    assert difference.format_difference("single-label") == "+100.0 points"
    assert not difference.is_positive and not difference.is_negative


def test_no_interval_of_few_videos_ends_above_the_best_value() -> None:
    value_VK = np.array([[0.7], [4.4], [5.7], [3.9], [3.8], [4.2]])
    label_VK = np.array([[1.0, 0], [1, 1], [0, 1], [1, 0], [0, 1], [1, 1]])
    score_VK = label_VK + np.array([[0, 0], [0, 0], [0, 0], [-0.9, 0], [0, 0], [0, 0]])
    measures = [
        measure_output(Target("regression", value_VK, 1), np.full((6, 1), 2.2, np.float32)),
        measure_output(Target("regression", value_VK, 1), value_VK.astype(np.float32) + 0.1),
        measure_output(Target("multi-label", label_VK, 2), score_VK.astype(np.float32)),
    ]

    for _, (value, low, high), *_ in measures:
        assert low <= value <= high <= 1


def test_seeds_that_are_all_right_on_few_videos_do_not_give_an_interval_without_width() -> None:
    label_V = np.array([0, 1, 0, 1])
    metric = make_metric(Target("single-label", label_V, 2), np.eye(2, dtype=np.float32)[label_V])

    interval = measure_seeds([metric] * 5, Target("single-label", label_V, 2))

    assert interval == pytest.approx((1, 0.025 ** (1 / 4), 1))  # Clopper-Pearson

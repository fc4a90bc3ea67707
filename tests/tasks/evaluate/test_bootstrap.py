"""Confidence intervals: their values, their coverage, and the cases where there are none."""

import math

import numpy as np
import pytest
from sklearn.metrics import r2_score

from videomae_cli.tasks.evaluate.metrics.intervals import (
    Interval,
    bootstrap_interval,
    multi_label_intervals,
    regression_intervals,
    single_label_intervals,
)
from videomae_cli.tasks.evaluate.metrics.multi_label import multi_label_metrics
from videomae_cli.tasks.evaluate.metrics.regression import regression_metrics
from videomae_cli.tasks.evaluate.metrics.single_label import single_label_metrics


def test_the_interval_of_an_accuracy_is_two_standard_errors_wide() -> None:
    is_right_V = np.arange(19_796) < 0.813 * 19_796
    low, high = bootstrap_interval(is_right_V)
    error = math.sqrt(0.813 * 0.187 / 19_796)

    assert low == pytest.approx(0.813 - 1.96 * error, abs=3e-4)
    assert high == pytest.approx(0.813 + 1.96 * error, abs=3e-4)
    assert bootstrap_interval(is_right_V) == (low, high)
    assert bootstrap_interval(is_right_V, seed=1) != (low, high)


def test_a_value_a_truth_and_a_function_give_nearly_the_same_interval() -> None:
    is_right_V = np.random.default_rng(0).random(400) < 0.7
    by_truth = bootstrap_interval(is_right_V)
    by_value = bootstrap_interval(is_right_V.astype(float))
    by_function = bootstrap_interval(lambda index_V: float(is_right_V[index_V].mean()), videos=400)

    assert by_value == pytest.approx(by_truth, abs=0.01)
    assert by_function == pytest.approx(by_truth, abs=0.01)


@pytest.mark.parametrize(("value", "expected"), [(True, (0.832, 1)), (False, (0, 0.168))])
def test_all_right_and_all_wrong_have_the_exact_binomial_bound(
    value: bool, expected: tuple[float, float]
) -> None:
    group_V = np.repeat(np.arange(20), 5)

    assert bootstrap_interval(np.full(20, value)) == pytest.approx(expected, abs=5e-4)
    assert bootstrap_interval(np.full(100, value), group_V=group_V) == pytest.approx(
        expected, abs=5e-4
    )
    assert bootstrap_interval(np.full(1, True)) == pytest.approx((0.025, 1))


def test_clips_of_one_source_count_as_one() -> None:
    is_right_G = np.random.default_rng(0).random(50) < 0.6
    is_right_V, group_V = np.repeat(is_right_G, 20), np.repeat(np.array(list("abcde") * 10), 20)
    group_V = np.char.add(group_V, np.repeat(np.arange(50), 20).astype(str))
    apart, together = (
        bootstrap_interval(is_right_V),
        bootstrap_interval(is_right_V, group_V=group_V),
    )

    assert together == pytest.approx(bootstrap_interval(is_right_G), abs=0.03)
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_groups_reach_every_metric() -> None:
    rng = np.random.default_rng(0)
    label_V = np.repeat(rng.integers(0, 6, 30), 10)
    probability_VK = np.repeat(rng.dirichlet(np.ones(6), 30), 10, axis=0)
    group_V, target_VK = np.repeat(np.arange(30), 10), np.eye(6)[label_V]
    value_VK, noise_VK = np.repeat(rng.normal(size=(2, 30, 6)), 10, axis=1)
    pairs = [
        (f(a, b), f(a, b, group_V=group_V))
        for f, a, b in (
            (single_label_intervals, label_V, probability_VK),
            (multi_label_intervals, target_VK, probability_VK),
            (regression_intervals, value_VK, value_VK + noise_VK),
        )
    ]

    for apart, together in pairs:
        for name in apart:
            ratio = np.ptp(together[name]) / np.ptp(apart[name])
            assert 2 < ratio < 4.5, (name, ratio)  # about the root of 10


def test_every_interval_contains_its_metric() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        label_V, probability_VK = rng.integers(0, 8, 60), rng.dirichlet(np.ones(8), 60)
        target_VK, value_VK = (rng.random((60, 8)) < 0.2).astype(float), rng.random((60, 8))
        pairs = [
            (single_label_intervals(label_V, probability_VK),
             single_label_metrics(label_V, probability_VK)),
            (multi_label_intervals(target_VK, value_VK, rounds=200),
             multi_label_metrics(target_VK, value_VK)),
            (regression_intervals(value_VK, value_VK[::-1], rounds=200),
             regression_metrics(value_VK, value_VK[::-1], list("abcdefgh"))),
        ]  # fmt: skip

        for intervals, metrics in pairs:
            for name, (low, high) in intervals.items():
                assert low < metrics[name] < high, (seed, name)


def test_there_is_no_interval_of_one_group_or_of_nothing() -> None:
    nothing = [
        bootstrap_interval(np.array([True, False]), group_V=np.zeros(2)),
        bootstrap_interval(np.array([0.5])),
        bootstrap_interval(np.empty(0)),
        bootstrap_interval(lambda index_V: math.nan, videos=9),
        multi_label_intervals(np.zeros((9, 2)), np.ones((9, 2)), rounds=9)["map"],
        regression_intervals(np.ones((9, 1)), np.ones((9, 1)), rounds=9)["r2"],
        regression_intervals(np.ones((9, 1)), np.full((9, 1), np.nan))["mae"],
    ]

    assert all(math.isnan(low) and math.isnan(high) for low, high in nothing)
    with pytest.raises(ValueError, match="number of videos"):
        bootstrap_interval(lambda index_V: 1.0)


def test_a_large_mean_does_not_disturb_r2() -> None:
    rng = np.random.default_rng(0)
    target_VK = rng.random((50, 1))
    value_VK = target_VK + 0.1 * rng.random((50, 1))
    near = regression_intervals(target_VK, value_VK)["r2"]
    far = regression_intervals(target_VK + 1e6, value_VK + 1e6)["r2"]

    assert far == pytest.approx(near, abs=1e-6)


def cover(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("is_grouped", [False, True])
def test_nineteen_of_twenty_intervals_of_an_accuracy_contain_the_truth(is_grouped: bool) -> None:
    rng, repeats, inside = np.random.default_rng(0), 400, 0
    for seed in range(repeats):
        if is_grouped:  # the share of right clips differs among the 60 sources; its mean is 0.75
            group_V = np.repeat(np.arange(60), 5)
            is_right_V = rng.random(300) < rng.beta(1.5, 0.5, 60)[group_V]
        else:
            group_V, is_right_V = None, rng.random(200) < 0.75
        interval = bootstrap_interval(is_right_V, group_V=group_V, seed=seed, rounds=200)
        inside += cover(interval, 0.75)

    assert 0.90 <= inside / repeats <= 0.98


@pytest.mark.slow
def test_nineteen_of_twenty_intervals_of_map_contain_the_mean_of_sets_of_this_size() -> None:
    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        target_VK = (rng.random((150, 10)) < 0.15).astype(float)
        return target_VK, rng.normal(size=(150, 10)) / 8 + target_VK / 8 + 0.5

    rng = np.random.default_rng(0)
    truth = float(np.mean([multi_label_metrics(*draw(rng))["map"] for _ in range(2000)]))
    inside = [
        cover(multi_label_intervals(*draw(rng), seed=seed, rounds=300)["map"], truth)
        for seed in range(300)
    ]

    assert 0.90 <= np.mean(inside) <= 0.98


def test_no_interval_of_r2_ends_above_one_also_of_few_videos() -> None:
    rng = np.random.default_rng(0)
    target_VK = np.array([[0.7], [4.4], [5.7], [3.9], [3.8], [4.2]])
    for value_VK in (np.full((6, 1), 2.2), target_VK + 0.1 * rng.standard_normal((6, 1))):
        low, high = regression_intervals(target_VK, value_VK)["r2"]

        assert low < r2_score(target_VK, value_VK) < high < 1

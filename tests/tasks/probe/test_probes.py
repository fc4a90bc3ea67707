"""The probes find what is in features, and nothing where there is nothing."""

import numpy as np
import pytest

from videomae_cli.tasks.probe.curve import PROBES
from videomae_cli.tasks.probe.folds import cross_predict, make_folds
from videomae_cli.tasks.probe.measures import measure_output
from videomae_cli.tasks.probe.samples import Floats, Index, Target

CLASSES = 4


def labels(videos: int) -> Index:
    return np.arange(videos, dtype=np.int64) % CLASSES


def features(label_V: Index, signal: float, seed: int, dim: int = 32) -> Floats:
    """Return noise, plus `signal` times the same random vector for all videos of a class."""
    rng = np.random.default_rng(seed)
    center_KD = rng.standard_normal((CLASSES, dim))
    noise_VD = rng.standard_normal((len(label_V), dim))
    return (noise_VD + signal * center_KD[label_V]).astype(np.float32)


def accuracy(probe: str, feature: Floats, target: Target, train: Index, test: Index) -> float:
    output_VK = PROBES[probe](feature[train], target.take(train), feature[test], seed=0)
    assert output_VK.shape == (len(test), target.size) and output_VK.dtype == np.float32
    return float((output_VK.argmax(axis=1) == target.labels[test]).mean())


@pytest.mark.parametrize("probe", PROBES)
def test_classes_that_differ_are_told_apart_and_random_labels_are_not(probe: str) -> None:
    label_V = labels(240)
    rows = np.random.default_rng(0).permutation(240)
    train, test = rows[:160], rows[160:]
    random_V = np.random.default_rng(1).permutation(label_V)

    clear = features(label_V, 0.8, seed=2)

    assert accuracy(probe, clear, Target("single-label", label_V, CLASSES), train, test) > 0.9
    noise = Target("single-label", random_V, CLASSES)
    output_VK = PROBES[probe](clear[train], noise.take(train), clear[test], seed=0)
    interval = measure_output(noise.take(test), output_VK).interval
    assert interval.low < 1 / CLASSES < interval.high


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("task", ["single-label", "multi-label", "regression"])
def test_a_second_fit_gives_the_same_bytes(probe: str, task: str) -> None:
    label_V = labels(60)
    feature = features(label_V, 0.5, seed=3)
    values = {
        "single-label": Target("single-label", label_V, CLASSES),
        "multi-label": Target("multi-label", np.eye(CLASSES)[label_V], CLASSES),
        "regression": Target("regression", feature[:, :2].astype(np.float64), 2),
    }
    target = values[task]

    first, second = (
        PROBES[probe](feature[:40], target.take(np.arange(40)), feature[40:], seed=5)
        for _ in range(2)
    )

    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("probe", PROBES)
def test_several_labels_are_predicted_each_on_its_own(probe: str) -> None:
    rng = np.random.default_rng(4)
    target_VK = (rng.random((200, 3)) < 0.4).astype(np.float64)
    target_VK[:, 2] = 0  # never occurs
    feature = (rng.standard_normal((200, 24))).astype(np.float32)
    feature[:, :2] += 4 * target_VK[:, :2]
    target = Target("multi-label", target_VK, 3)
    train, test = np.arange(150), np.arange(150, 200)

    output_VK = PROBES[probe](feature[train], target.take(train), feature[test], seed=0)

    assert measure_output(target.take(test), output_VK).interval.value > 0.85
    assert output_VK[:, 2].max() < 0.1


@pytest.mark.parametrize(("probe", "least"), [("linear", 0.95), ("attentive", 0.8), ("knn", 0.2)])
def test_values_are_predicted_in_their_own_units(probe: str, least: float) -> None:
    rng = np.random.default_rng(6)
    feature = rng.standard_normal((300, 8)).astype(np.float32)
    value_VK = 1000 + 50 * feature[:, :2].astype(np.float64) + rng.standard_normal((300, 2))
    target = Target("regression", value_VK, 2)
    train, test = np.arange(200), np.arange(200, 300)

    output_VK = PROBES[probe](feature[train], target.take(train), feature[test], seed=0)

    assert measure_output(target.take(test), output_VK).interval.value > least


def test_only_the_attentive_probe_finds_one_token_among_noise() -> None:
    rng = np.random.default_rng(7)
    label_V, tokens, dim = labels(200), 16, 32
    mark_D, center_KD = rng.standard_normal(dim), rng.standard_normal((CLASSES, dim))
    feature_VND = rng.standard_normal((200, tokens, dim))
    place_V = rng.integers(tokens, size=200)
    feature_VND[np.arange(200), place_V] += 2 * mark_D + center_KD[label_V]
    feature = feature_VND.astype(np.float32)
    target = Target("single-label", label_V, CLASSES)
    train, test = np.arange(140), np.arange(140, 200)

    attentive = accuracy("attentive", feature, target, train, test)

    assert attentive > 0.85
    assert attentive > accuracy("linear", feature, target, train, test) + 0.1


@pytest.mark.parametrize("probe", PROBES)
def test_a_class_without_training_videos_has_probability_0_or_less_than_the_others(
    probe: str,
) -> None:
    label_V = labels(40)
    feature = features(label_V, 1.0, seed=8)
    target = Target("single-label", label_V, CLASSES)
    train = np.flatnonzero(label_V != 3)

    output_VK = PROBES[probe](feature[train], target.take(train), feature, seed=0)

    assert output_VK.shape == (40, CLASSES)
    assert np.allclose(output_VK.sum(axis=1), 1, atol=1e-5)
    assert (output_VK.argmax(axis=1) != 3).all()


@pytest.mark.parametrize("probe", PROBES)
def test_one_training_video_of_each_class_is_enough(probe: str) -> None:
    label_V = labels(40)
    feature = features(label_V, 2.0, seed=9)
    target = Target("single-label", label_V, CLASSES)

    assert accuracy(probe, feature, target, np.arange(CLASSES), np.arange(CLASSES, 40)) > 0.8


@pytest.mark.parametrize("task", ["single-label", "regression"])
def test_no_source_is_in_two_folds(task: str) -> None:
    rng = np.random.default_rng(10)
    group_V = rng.integers(12, size=90)
    label_V = labels(90)
    value = label_V if task == "single-label" else label_V.astype(np.float64)[:, None]
    target = Target(task, value, CLASSES if task == "single-label" else 1, group_V)  # type: ignore[arg-type]

    folds = make_folds(target, seed=0)

    assert sorted(np.concatenate(folds).tolist()) == list(range(90))
    seen = [set(group_V[fold].tolist()) for fold in folds]
    assert len(folds) == 5 and sum(map(len, seen)) == len(set.union(*seen))


def test_a_source_that_gives_the_label_away_helps_only_if_folds_separate_its_clips() -> None:
    rng = np.random.default_rng(11)
    group_V = np.repeat(np.arange(40), 6)
    label_V = rng.integers(2, size=40)[group_V]  # by chance: the sources have nothing in common
    feature = (3 * rng.standard_normal((40, 16))[group_V]).astype(np.float32)
    feature += rng.standard_normal(feature.shape).astype(np.float32)
    results = {}
    for name, groups in (("random", None), ("by source", group_V)):
        target = Target("single-label", label_V, 2, groups)
        output_VK = cross_predict(PROBES["knn"], feature, target, seed=0)
        results[name] = float((output_VK.argmax(axis=1) == label_V).mean())

    assert results["random"] > 0.95
    assert results["by source"] < 0.75

"""The metrics, compared with scikit-learn and with values computed by hand."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics
from sklearn.exceptions import UndefinedMetricWarning

from videomae_cli.tasks.evaluate.metrics.average_precision import (
    RankedVideos,
    compute_average_precision,
)
from videomae_cli.tasks.evaluate.metrics.multi_label import (
    multi_label_metrics,
    multi_label_per_class,
)
from videomae_cli.tasks.evaluate.metrics.regression import regression_metrics
from videomae_cli.tasks.evaluate.metrics.single_label import (
    NO_CLASS,
    calibrate,
    confusion,
    per_class,
    predict_labels,
    rank_labels,
    single_label_metrics,
)

CASES = range(200)
Array = NDArray[Any]


def draw_single_label(seed: int) -> tuple[Array, Array]:
    """Return labels and probabilities with ties, classes without videos and rows of NaN."""
    rng = np.random.default_rng(seed)
    videos, classes = int(rng.integers(1, 40)), int(rng.integers(2, 12))
    labels = rng.choice(classes, size=int(rng.integers(1, classes + 1)), replace=False)
    label_V = rng.choice(labels, size=videos)
    level_VK = rng.integers(0, int(rng.integers(2, 6)), (videos, classes)) + 1e-3
    level_VK[rng.random(videos) < 0.3] = 1  # all classes tie
    probability_VK = (level_VK / level_VK.sum(axis=1, keepdims=True)).astype(np.float32)
    if seed % 4 == 0:
        probability_VK[rng.random(videos) < 0.2, 0] = np.nan
    return label_V, probability_VK


def draw_multi_label(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    videos, classes = int(rng.integers(2, 40)), int(rng.integers(2, 9))
    target_VK = (rng.random((videos, classes)) < rng.random(classes)).astype(np.float64)
    probability_VK = rng.integers(0, int(rng.integers(2, 9)), (videos, classes)) / 8
    return target_VK, probability_VK.astype(np.float32)


def compute_by_scikit_learn(label_V: Array, probability_VK: Array) -> dict[str, float]:
    """Return the metrics of scikit-learn; a row of NaN predicts class K, which no video has."""
    classes = probability_VK.shape[1]
    is_bad_V = np.isnan(probability_VK).any(axis=1)
    known_VK = np.where(is_bad_V[:, None], 0, probability_VK)
    predicted_V = np.where(is_bad_V, classes, known_VK.argmax(axis=1))
    occurring = sorted({*label_V.tolist(), *predicted_V.tolist()} - {classes})
    # without ties its top-k has no preference: scores by rank, the lower label first
    rank_VK = np.argsort(np.argsort(-known_VK, axis=1, kind="stable"), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "top1": sklearn_metrics.accuracy_score(label_V, predicted_V),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(label_V, predicted_V),
            "mean1": sklearn_metrics.recall_score(
                label_V, predicted_V, labels=occurring, average="macro", zero_division=0
            ),
            "macro_f1": sklearn_metrics.f1_score(
                label_V, predicted_V, labels=occurring, average="macro"
            ),
            "loss": sklearn_metrics.log_loss(
                label_V, np.maximum(known_VK.astype(float), 1e-12), labels=range(classes)
            ),
        }
    if classes > 5:
        good_V = np.flatnonzero(~is_bad_V)
        expected["top5"] = (
            sklearn_metrics.top_k_accuracy_score(
                label_V[good_V], -rank_VK[good_V], k=5, labels=range(classes), normalize=False
            )
            / len(label_V)
            if len(good_V)
            else 0.0
        )
    return expected


@pytest.mark.parametrize("start", CASES[::50])
def test_single_label_metrics_agree_with_scikit_learn(start: int) -> None:
    for seed in range(start, start + 50):
        label_V, probability_VK = draw_single_label(seed)
        found = single_label_metrics(label_V, probability_VK)

        for name, value in compute_by_scikit_learn(label_V, probability_VK).items():
            assert found[name] == pytest.approx(value, abs=1e-12), (seed, name)
        assert found["mean_class"] == found["balanced_accuracy"]


def test_multi_label_metrics_agree_with_scikit_learn() -> None:
    for seed in CASES:
        target_VK, probability_VK = draw_multi_label(seed)
        found = multi_label_metrics(target_VK, probability_VK)
        has_class, has_label = target_VK.any(axis=0), target_VK.any(axis=1)
        with warnings.catch_warnings():  # it warns of the classes and videos left out here
            warnings.simplefilter("ignore", UserWarning)
            ap = sklearn_metrics.average_precision_score(target_VK, probability_VK, average=None)
            video_ap = sklearn_metrics.average_precision_score(
                target_VK[:6].T, probability_VK[:6].T, average=None
            )
        ap, video_ap = ap[has_class], np.atleast_1d(video_ap)[has_label[:6]]
        few = multi_label_metrics(target_VK[:6], probability_VK[:6])
        counts = sklearn_metrics.multilabel_confusion_matrix(target_VK > 0, probability_VK >= 0.5)
        f1 = [2 * c[1, 1] / (2 * c[1, 1] + c[0, 1] + c[1, 0]) for c in counts if c[0, 0] < c.sum()]
        flat = target_VK.ravel() > 0, probability_VK.ravel() >= 0.5

        assert found["map"] == pytest.approx(np.mean(ap) if len(ap) else math.nan, nan_ok=True)
        assert few["mmit_map"] == pytest.approx(
            np.mean(video_ap) if len(video_ap) else math.nan, nan_ok=True
        )
        assert found["macro_f1"] == pytest.approx(np.mean(f1) if f1 else math.nan, nan_ok=True)
        if flat[0].any() or flat[1].any():
            assert found["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(*flat))


def test_regression_metrics_agree_with_scikit_learn() -> None:
    for seed in CASES:
        rng = np.random.default_rng(seed)
        videos, outputs = int(rng.integers(2, 30)), int(rng.integers(1, 4))
        target_VK = rng.normal(size=(videos, outputs))
        value_VK = target_VK + rng.normal(size=(videos, outputs))
        found = regression_metrics(target_VK, value_VK, [f"o{k}" for k in range(outputs)])

        pairs = [(target_VK[:, k], value_VK[:, k]) for k in range(outputs)]
        assert found["mae"] == pytest.approx(np.mean([np.abs(t - v).mean() for t, v in pairs]))
        assert found["rmse"] == pytest.approx(
            np.mean([math.sqrt(((t - v) ** 2).mean()) for t, v in pairs])
        )
        r2 = [1 - ((t - v) ** 2).sum() / ((t - t.mean()) ** 2).sum() for t, v in pairs]
        assert found["r2"] == pytest.approx(np.mean(r2))
        if outputs > 1:
            assert [found[f"r2/o{k}"] for k in range(outputs)] == pytest.approx(r2)
        assert found["n"] == videos


def test_the_figures_of_each_class_agree_with_scikit_learn() -> None:
    for seed in CASES:
        label_V, probability_VK = draw_single_label(seed)
        classes = probability_VK.shape[1]
        predicted_V = predict_labels(probability_VK)
        figures = per_class(label_V, probability_VK)
        matrix_KK = confusion(label_V, predicted_V, classes)

        right_K = matrix_KK.diagonal()
        assert figures.n.tolist() == np.bincount(label_V, minlength=classes).tolist()
        assert matrix_KK.sum() == (predicted_V != NO_CLASS).sum()
        for k in range(classes):
            recall = right_K[k] / figures.n[k] if figures.n[k] else math.nan
            predicted = matrix_KK[:, k].sum()
            precision = right_K[k] / predicted if predicted else math.nan
            assert figures.recall[k] == pytest.approx(recall, nan_ok=True), seed
            assert figures.precision[k] == pytest.approx(precision, nan_ok=True), seed


def test_metrics_computed_by_hand() -> None:
    """Class 2 has no video but one prediction, class 3 neither; video 1 is a tie."""
    probability_VK = np.array(
        [[0.7, 0.1, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0, 1, 0, 0]]
    )
    label_V = np.array([0, 1, 1, 1])
    found = single_label_metrics(label_V, probability_VK)
    figures = per_class(label_V, probability_VK)

    assert predict_labels(probability_VK).tolist() == [0, 0, 2, 1]
    assert rank_labels(label_V, probability_VK).tolist() == [0, 1, 2, 0]
    assert found["top1"] == 1 / 2
    assert found["mean_class"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["mean1"] == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["ece"] == pytest.approx((abs(1 - 1.4) + abs(0 - 0.4) + abs(1 - 1)) / 4)
    assert "top5" not in found
    assert figures.recall == pytest.approx([1, 1 / 3, math.nan, math.nan], nan_ok=True)
    assert figures.precision == pytest.approx([1 / 2, 1, 0, math.nan], nan_ok=True)
    assert figures.confidence == pytest.approx([0.7, 0.7, math.nan, math.nan], nan_ok=True)


def test_a_confidence_on_the_edge_of_two_bins_is_in_the_lower_one() -> None:
    found = calibrate(np.array([0, 0, 1]), np.array([[0.5, 0.5], [0.51, 0.49], [0.0, 1.0]]), 2)

    assert found.n.tolist() == [1, 2]
    assert found.accuracy.tolist() == [1, 1]
    assert found.confidence == pytest.approx([0.5, 0.755])


def test_scikit_learn_ranks_a_tie_the_other_way() -> None:
    """The reason to compute top-k here; if this fails, read the docstring of the module again."""
    tie_VK, label_V = np.full((6, 6), 1 / 6), np.arange(6)

    assert sklearn_metrics.top_k_accuracy_score([0], tie_VK[:1], k=1, labels=range(6)) == 0
    assert rank_labels(label_V, tie_VK).tolist() == [0, 1, 2, 3, 4, 5]


def test_one_video_one_class_and_no_finite_row_have_values() -> None:
    one = single_label_metrics(np.array([0]), np.array([[1.0]]))
    bad = single_label_metrics(np.array([0, 1]), np.full((2, 2), np.nan))
    bad_labels = multi_label_metrics(np.eye(2), np.full((2, 2), np.nan))
    bad_values = regression_metrics(np.eye(2), np.full((2, 2), np.nan), ["a", "b"])

    assert one["top1"] == one["mean1"] == one["macro_f1"] == 1
    assert bad["top1"] == bad["mean_class"] == bad["macro_f1"] == 0 and math.isnan(bad["ece"])
    assert per_class(np.array([0, 1]), np.full((2, 2), np.nan)).recall.tolist() == [0, 0]
    assert bad_labels["mmit_map"] == bad_labels["micro_f1"] == 0
    assert bad_labels["loss"] == pytest.approx(-math.log(1e-12))
    assert bad_values["n"] == 0 and math.isnan(bad_values["mae"]) and math.isnan(bad_values["r2"])


def test_a_class_without_positives_is_undefined_and_left_out_of_the_mean() -> None:
    target_VK = np.array([[1, 0, 1], [0, 0, 1.0]])
    probability_VK = np.array([[0.9, 0.6, 0.4], [0.2, 0.1, 0.8]])
    figures, ap_K = multi_label_per_class(target_VK, probability_VK)

    assert ap_K == pytest.approx([1, math.nan, 1], nan_ok=True)
    assert multi_label_metrics(target_VK, probability_VK)["map"] == 1
    assert figures.recall == pytest.approx([1, math.nan, 1 / 2], nan_ok=True)
    assert figures.precision == pytest.approx([1, 0, 1], nan_ok=True)
    assert figures.confidence == pytest.approx([0.9, math.nan, 0.6], nan_ok=True)
    assert figures.f1 == pytest.approx([1, 0, 2 / 3], nan_ok=True)


def test_a_video_without_finite_probabilities_is_missed_in_each_of_its_classes() -> None:
    target_VK = np.array([[1.0, 1], [1, 0]])
    probability_VK = np.array([[np.nan, 0.9], [0.0, 0.0]])
    found = multi_label_metrics(target_VK, probability_VK)

    assert found["map"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["mmit_map"] == pytest.approx((0 + 1 / 2) / 2)
    assert found["micro_f1"] == 0


def test_r2_of_a_constant_target_is_undefined_and_left_out_of_the_mean() -> None:
    target_VK = np.array([[1.0, 5], [2, 5], [3, 5]])
    found = regression_metrics(target_VK, target_VK + np.array([0, 1]), ["speed", "size"])

    assert found["r2"] == found["r2/speed"] == 1 and math.isnan(found["r2/size"])
    assert (found["mae"], found["rmse/size"], found["n"]) == (0.5, 1, 3)
    assert math.isnan(regression_metrics(np.ones((1, 1)), np.ones((1, 1)), ["x"])["r2"])


def test_weights_repeat_videos() -> None:
    for seed in range(50):
        target_VK, score_VK = draw_multi_label(seed)
        count_V = np.random.default_rng(seed).integers(0, 3, len(target_VK))
        index_V = np.repeat(np.arange(len(target_VK)), count_V)

        weighted = RankedVideos(target_VK, score_VK).compute(count_V)
        if len(index_V):
            repeated = compute_average_precision(target_VK[index_V], score_VK[index_V])
            assert weighted == pytest.approx(repeated, nan_ok=True)


def test_scikit_learn_warns_where_we_do_not() -> None:
    """The warnings that the metrics avoid are real: undefined values are NaN, without noise."""
    with pytest.warns(UndefinedMetricWarning):
        sklearn_metrics.r2_score([1.0], [1.0])

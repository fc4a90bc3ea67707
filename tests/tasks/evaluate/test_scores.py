"""The metrics of an evaluation, compared with values computed by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.notes import CLASSIFIER, Notes
from videomae_cli.config.protocols import Protocol, get_protocol
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.tasks.evaluate.data import relabel
from videomae_cli.tasks.evaluate.metrics.intervals import Interval
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.evaluate.scores import Failure, Scores


def scores(probabilities: list[list[float]], labels: list[int]) -> Scores:
    return Scores(
        np.arange(len(labels)),
        np.array(labels, dtype=np.int64),
        np.array(probabilities, dtype=np.float32),
    )


def test_metrics_count_ranks_classes_and_log_loss() -> None:
    metrics = scores([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], [0, 1, 1]).metrics()

    assert metrics["top1"] == pytest.approx(2 / 3)
    assert metrics["mean_class"] == pytest.approx((1 + 1 / 2) / 2)
    assert metrics["loss"] == pytest.approx(-math.log(0.5 * 0.7 * 0.3) / 3)
    assert "top5" not in metrics


def test_a_tie_counts_for_the_lower_label() -> None:
    uniform = scores([[1 / 6] * 6] * 6, list(range(6)))

    assert uniform.metrics()["top1"] == pytest.approx(1 / 6)
    assert uniform.metrics()["top5"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("bad", [[math.nan] * 6, [0.9, 0.1, math.nan, 0, 0, 0], [math.inf] * 6])
def test_a_video_without_finite_probabilities_is_wrong_whatever_its_label(bad: list[float]) -> None:
    good = [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]

    for label in range(6):
        some = scores([good, bad, good], [0, label, 0])
        metrics = some.metrics()

        assert metrics["top1"] == metrics["top5"] == pytest.approx(2 / 3)
        assert metrics["loss"] == pytest.approx(-(2 * math.log(0.9) + math.log(1e-12)) / 3)
        assert some.nonfinite.tolist() == [1]


def test_no_accuracy_without_any_finite_probability_or_any_video() -> None:
    with pytest.raises(CheckpointError, match="not finite for any of 2 videos") as caught:
        scores([[math.nan] * 3] * 2, [0, 1]).metrics()
    with pytest.raises(DataError, match=r"none of 1 videos could be decoded: a\.mp4: no such file"):
        scores([], [])._replace(failures=(Failure("a.mp4", "a.mp4: no such file"),)).metrics()

    assert "--precision fp32" in caught.value.hint and "weights" in caught.value.hint


def test_videos_without_finite_outputs_are_counted_and_named() -> None:
    metrics = {"top1": 0.5, "loss": 1.0}
    result = EvalResult(metrics, Protocol(1, 1), "val", 4, (), Path("x"), ("a.mp4",))

    assert result.headline().endswith("4 of 4 val videos, 1 without finite outputs)")
    assert result.as_json()["not_finite"] == ["a.mp4"]
    assert "not_finite" not in result._replace(nonfinite=()).as_json()


def test_the_headline_has_interval_protocol_and_counts() -> None:
    failures = (Failure("a.mp4", "a.mp4 is empty"),)
    result = EvalResult(
        {"top1": 0.813, "top5": 0.95},
        get_protocol("mm-k400"),
        "test",
        1234,
        failures,
        Path("x"),
        intervals={"top1": Interval(0.8074, 0.8191)},
        size="224",
    )

    assert result.headline() == (
        "top-1 81.3 % [80.7, 81.9], top-5 95.0 % (mm-k400: 5 x 3 views, 224, softmax mean,"
        " 1,234 of 1,235 test videos, 1 unreadable)"
    )
    values = EvalResult(
        {"mae": 0.1234, "r2": 0.9}, Protocol(1, 1), "val", 9, (), Path("x"), task="regression"
    )
    assert values.headline().startswith("mean absolute error 0.1234, R² 0.9 (1 x 1 view, mean of")


def relabelled(classes: tuple[str, ...], known: tuple[str, ...]) -> tuple[Manifest, Notes]:
    """Return data with one video of each class, under the labels of a checkpoint."""
    notes = Notes()
    config = CLASSIFIER.model_copy(update={"classes": known})
    videos = tuple(
        Video(f"{name}.mp4", label, "val", 8, 25.0, 32, 32, "pyav")
        for label, name in enumerate(classes)
    )
    manifest = Manifest(Path("videos"), videos, classes, "digest")
    return relabel(config, manifest, notes), notes


def test_labels_are_those_of_the_checkpoint_and_its_names_stay() -> None:
    known = tuple(map(str, range(12)))
    data, notes = relabelled(tuple(sorted(known)), known)

    assert all(video.path == f"{video.label}.mp4" for video in data.videos)
    assert data.classes == known
    assert notes.said == ["classes matched by name; the data list them in another order"]
    assert notes.warned == []


def test_a_part_of_the_classes_is_evaluated_among_all_of_them() -> None:
    data, notes = relabelled(("up",), ("left", "right", "up"))

    assert [video.label for video in data.videos] == [2]
    assert data.classes == ("left", "right", "up")
    assert "1 of the checkpoint's 3" in notes.said[0]


def test_classes_that_differ_are_refused_with_both_lists() -> None:
    for classes in (("left", "up"), ("left", "right", "up")):
        with pytest.raises(DataError, match="checkpoint: left, right; only in the data: up"):
            relabelled(classes, ("left", "right"))


def test_numbered_classes_are_assumed_to_be_those_of_the_dataset_with_a_warning() -> None:
    equal, notes = relabelled(("left", "right"), ("left", "right"))
    assert notes.warned == notes.said == [] and equal.classes == ("left", "right")

    data, notes = relabelled(("left", "right"), ("1", "0"))
    assert notes.warned == [
        "the checkpoint only numbers its 2 classes: assuming 0 = left, 1 = right"
    ]
    assert data.classes == ("right", "left") and [v.label for v in data.videos] == [1, 0]

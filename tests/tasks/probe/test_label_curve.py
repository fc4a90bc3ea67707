"""Label curves: parts of labels, gains between encoders, and what is said about them."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.notes import Notes
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.probe.probe import run_label_curve
from videomae_cli.tasks.probe.samples import FeatureTable, Target
from videomae_cli.tasks.probe.subsets import describe_minimum, draw_subset, parse_fractions

CLASSES, VIDEOS = 3, 210


def table(name: str, signal: float, seed: int) -> FeatureTable:
    """Return features of 150 train and 60 val videos, whose classes differ by `signal`."""
    rng = np.random.default_rng(seed)
    label_V = np.arange(VIDEOS, dtype=np.int64) % CLASSES
    feature = rng.standard_normal((VIDEOS, 24))
    feature += signal * np.random.default_rng(0).standard_normal((CLASSES, 24))[label_V]
    return FeatureTable(
        name,
        tuple(f"{number}.mp4" for number in range(VIDEOS)),
        tuple("train" if number < 150 else "val" for number in range(VIDEOS)),
        Target("single-label", label_V, CLASSES),
        feature.astype(np.float32),
        digest=name,
    )


def test_better_features_gain_most_where_labels_are_few(tmp_path: Path) -> None:
    notes = Notes()
    good, bad = table("runs/$mine", 1.0, 1), table("scratch", 0.0, 2)

    curve = run_label_curve(good, bad, tmp_path, notes, fractions=[0.5, 10, 100], seeds=3)

    assert all(point.gain.is_positive for point in curve.points)
    assert [point.labels for point in curve.of_probe("linear")] == [(3,) * 3, (15,) * 3, (150,) * 3]
    assert curve.sentence().startswith("With 0.5 % of the labels (3 videos) runs/$mine gives +")
    assert "over scratch (linear probe, val, 60 videos)" in curve.sentence()
    assert "less than one video of 3 of 3 classes" in notes.warned[0]
    document = json.loads((tmp_path / "label_curve.json").read_text())
    assert document["sentence"] == curve.sentence()
    assert document["points"][0]["labels"] == [3] * 3
    with Image.open(tmp_path / "label_curve.png") as picture:
        assert picture.width > 1000


def test_equal_features_show_no_difference_and_a_rerun_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = table("a", 0.4, 3), table("b", 0.4, 4)
    texts = []
    for name in ("one", "two"):
        curve = run_label_curve(
            first, second, tmp_path / name, Notes(), fractions=[10, 100], probes=["knn"]
        )
        texts.append((tmp_path / name / "label_curve.json").read_bytes())

    assert curve.sentence().startswith("No difference between a and b can be shown with any number")
    assert "(knn probe, val, 60 videos)" in curve.sentence()
    assert texts[0] == texts[1]


def test_worse_features_are_a_loss(tmp_path: Path) -> None:
    curve = run_label_curve(
        table("mine", 0.0, 5),
        table("other", 1.0, 6),
        tmp_path,
        Notes(),
        fractions=[50, 100],
        probes=["knn"],
    )

    assert "With 50 % of the labels (75 videos) mine gives -" in curve.sentence()


def test_videos_are_matched_by_path_and_the_missing_ones_are_counted(tmp_path: Path) -> None:
    notes = Notes()
    good = table("mine", 1.0, 1)
    shuffled = good.take(np.random.default_rng(0).permutation(VIDEOS)[:200])

    curve = run_label_curve(
        good, shuffled._replace(name="same"), tmp_path, notes, fractions=[50, 100], probes=["knn"]
    )

    assert all(point.gain == (0, 0, 0) for point in curve.points)
    assert sum(curve.videos) == 200
    assert notes.warned == ["10 videos without features of both encoders are left out"]


def test_what_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    good = table("mine", 1.0, 1)
    broken = good._replace(feature=np.where(good.feature > 3, np.nan, good.feature), name="other")

    with pytest.raises(DataError, match=r"other: the features of \d+ of 210 videos are not finite"):
        run_label_curve(good, broken, tmp_path, Notes(), fractions=[10, 100])
    with pytest.raises(DataError, match="no test videos"):
        run_label_curve(good, good, tmp_path, Notes(), fractions=[10, 100], split="test")
    with pytest.raises(UsageError, match="cannot be measured on train"):
        run_label_curve(good, good, tmp_path, Notes(), fractions=[10, 100], split="train")
    with pytest.raises(DataError, match="no video in common"):
        other = good._replace(paths=tuple(f"x{path}" for path in good.paths))
        run_label_curve(good, other, tmp_path, Notes(), fractions=[10, 100])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_the_labels_has_all_classes_and_contains_the_smaller_parts(seed: int) -> None:
    label_V = np.repeat([0, 1, 3], [100, 10, 1])
    target = Target("single-label", label_V, 5)
    parts = [set(draw_subset(target, percent, seed).tolist()) for percent in (1, 5, 50, 100)]

    assert [len(part) for part in parts] == [3, 7, 56, 111]
    assert all(small <= large for small, large in pairwise(parts))
    assert all(set(label_V[list(part)]) == {0, 1, 3} for part in parts)
    assert draw_subset(target, 5, seed).tolist() != draw_subset(target, 5, seed + 1).tolist()


def test_a_part_for_several_labels_has_each_label() -> None:
    target_VK = np.zeros((100, 3))
    target_VK[0, 0] = target_VK[50:, 1] = 1
    target = Target("multi-label", target_VK, 3)

    rows = draw_subset(target, 5, seed=0)

    assert target_VK[rows].any(axis=0).tolist() == [True, True, False]
    assert len(rows) in (5, 6)


def test_a_percentage_that_is_too_small_is_said() -> None:
    target = Target("single-label", np.repeat([0, 1], [75, 87]), 2)

    assert describe_minimum(target, 5, [8]) == ""
    assert describe_minimum(target, 0.5, [2]) == (
        "0.5 % of 162 labels is less than one video of 2 of 2 classes: at least one of each is"
        " used, so 2 labels"
    )


@pytest.mark.parametrize("text", ["", "5", "0,5", "5,101", "a,b", "5,5", "nan,5"])
def test_wrong_percentages_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="two or more percentages"):
        parse_fractions(text)


def test_percentages_are_sorted() -> None:
    assert parse_fractions("100, 5%,1,5") == (1, 5, 100)

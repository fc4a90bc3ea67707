"""Losses, class weights and trivial losses of the three tasks, against their definitions."""

from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)

from videomae_cli.config.model import Task
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.batches import FinetuneBatch
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.errors import DataError, RecipeError
from videomae_cli.tasks.train.mixup import MixedBatches
from videomae_cli.tasks.train.objectives import (
    class_weights,
    compute_loss,
    standardize,
    target_statistics,
    trivial_loss,
)
from videomae_cli.tasks.train.task_check import require_validation_classes, resolve_task

ROW = Video("v", None, "train", 9, 25.0, 64, 64, "pyav")
LABELS = (0, 0, 0, 1, 1, 2)
SINGLE = [ROW._replace(label=label) for label in LABELS]
MULTI = [ROW._replace(target=t) for t in ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 0.0))]
VALUES = [ROW._replace(target=t) for t in ((1.0, 300.0), (2.0, 100.0), (6.0, 200.0))]


def load(*overrides: str) -> FinetuneRecipe:
    plain = ("augment.smoothing=0", "augment.mixup=0", "augment.cutmix=0", "augment.erasing=0")
    taken = {text.split("=")[0] for text in overrides}
    kept = [text for text in plain if text.split("=")[0] not in taken]
    return load_recipe("k400-vits-finetune", [*kept, *overrides], "finetune")


def descend(
    videos: list[Video], task: Task, smoothing: float, weights: list[float] | None
) -> float:
    """Return the smallest loss of a constant output, found by gradient descent."""
    recipe = load(f"augment.smoothing={smoothing}")
    labels: list[object] = [v.label if v.target is None else v.target for v in videos]
    batch = FinetuneBatch(*[torch.zeros(1)] * 6)._replace(label=torch.tensor(labels))
    count = 3 if task == "single-label" else 2
    target_BK = MixedBatches(recipe, count, rank=0, task=task).prepare(batch, 0, 0)["target_BK"]
    output_K = torch.zeros(count, requires_grad=True)
    weight_K = None if weights is None else torch.tensor(weights)
    optimizer = torch.optim.LBFGS([output_K], max_iter=100)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = compute_loss(output_K.expand(len(videos), -1), target_BK, task, weight_K)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return float(loss().detach())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(("task", "videos"), [("single-label", SINGLE), ("multi-label", MULTI)])
def test_the_trivial_loss_is_the_smallest_that_a_constant_output_has(
    task: Task, videos: list[Video], smoothing: float, is_weighted: bool
) -> None:
    weights = [2.0, 0.5, 0.7][: 3 if task == "single-label" else 2] if is_weighted else None

    computed = trivial_loss(
        videos, task, 3 if task == "single-label" else 2, smoothing=smoothing, weights=weights
    )

    assert computed == pytest.approx(descend(videos, task, smoothing, weights), abs=1e-5)


def test_the_trivial_loss_of_a_regression_is_that_of_the_mean() -> None:
    mean, std = target_statistics(VALUES, ["a", "b"])
    videos = standardize(VALUES, mean, std)
    value_VK = np.array([video.target for video in videos])

    assert (
        mean == (3.0, 200.0)
        and np.allclose(value_VK.mean(0), 0)
        and np.allclose(value_VK.std(0), 1)
    )
    expected = np.where(abs(value_VK) < 1, value_VK**2 / 2, abs(value_VK) - 0.5).mean()
    computed = trivial_loss(videos, "regression", 2, smoothing=0, weights=None)
    assert computed == pytest.approx(expected, rel=1e-6)


def test_a_value_that_is_the_same_for_all_training_videos_is_refused() -> None:
    videos = [video._replace(target=(1.0, 2.0)) for video in VALUES]
    with pytest.raises(DataError, match="the value 'a' is 1 for all 3 training videos"):
        target_statistics(videos, ["a", "b"])


def test_balanced_weights_of_one_class_are_those_of_scikit_learn() -> None:
    expected = len(LABELS) / (3 * np.bincount(LABELS))  # as in compute_class_weight

    weights = class_weights(load("class_weights=balanced"), "single-label", SINGLE, "abc")

    assert weights is not None and np.allclose(weights, expected)


def test_given_weights_of_one_class_have_a_mean_of_1_over_the_videos() -> None:
    weights = class_weights(load("class_weights=[10, 20, 40]"), "single-label", SINGLE, "abc")

    assert weights is not None and np.mean([weights[label] for label in LABELS]) == pytest.approx(1)
    assert weights[2] / weights[0] == pytest.approx(4)


def test_balanced_weights_of_several_classes_give_both_answers_the_same_weight() -> None:
    weights = class_weights(load("class_weights=balanced"), "multi-label", MULTI, "ab")

    assert weights == pytest.approx((1 / 3, 3.0))


@pytest.mark.parametrize(
    ("value", "task", "videos", "message"),
    [
        ("balanced", "single-label", SINGLE[:5], "none of the 5 training videos has the class 'c'"),
        ("balanced", "multi-label", MULTI[:2], "all of the 2 training videos has the class 'a'"),
        ("[1, 2]", "single-label", SINGLE, "2 values, but .* has 3 classes"),
    ],
)
def test_weights_that_do_not_exist_are_refused(
    value: str, task: Task, videos: list[Video], message: str
) -> None:
    names = "abc" if task == "single-label" else "ab"
    with pytest.raises(RecipeError, match=message):
        class_weights(load(f"class_weights={value}"), task, videos, names)


@pytest.mark.parametrize("mode", ["mixup", "cutmix"])
@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_targets_are_mixed_in_the_proportion_of_the_pixels(
    task: Task, mode: Literal["mixup", "cutmix"]
) -> None:
    recipe = load(f"augment.{mode}=1.0")
    clip_BCTHW = torch.zeros(4, 3, 2, 8, 8)
    for number in range(4):
        clip_BCTHW[number] = number
    target_BK = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 3.0], [1.0, 1.0]])
    batch = FinetuneBatch(*[torch.zeros(4)] * 6)._replace(
        clip=(clip_BCTHW * 10).to(torch.uint8), label=target_BK
    )

    mixed = MixedBatches(recipe, 2, rank=0, task=task).prepare(batch, 3, 0)

    mean, std = torch.tensor(recipe.clip.mean), torch.tensor(recipe.clip.std)
    pixel_B = ((mixed["clip_BCTHW"].mean(dim=(2, 3, 4)) * std + mean) * 25.5).mean(dim=1)
    for number in range(4):
        other = 3 - number
        share = float((pixel_B[number] - other) / (number - other))
        assert 0 <= share <= 1
        expected = share * target_BK[number] + (1 - share) * target_BK[other]
        assert torch.allclose(mixed["target_BK"][number], expected, atol=1e-3)


def test_smoothing_moves_every_class_of_a_video_towards_one_half() -> None:
    batch = FinetuneBatch(*[torch.zeros(1)] * 6)._replace(label=torch.tensor([[1.0, 0.0]]))
    recipe = load("augment.smoothing=0.2")

    target = MixedBatches(recipe, 2, rank=0, task="multi-label").prepare(batch, 0, 0)["target_BK"]

    assert target.tolist()[0] == pytest.approx([0.9, 0.1])


def test_the_losses_are_those_of_torch_in_their_usual_form() -> None:
    output_BK, target_BK = torch.randn(5, 3), torch.rand(5, 3).round()
    weight_K = torch.tensor([1.0, 2.0, 3.0])
    p_BK = output_BK.sigmoid()

    bce = -(weight_K * target_BK * p_BK.log() + (1 - target_BK) * (1 - p_BK).log()).mean()
    ce = -(weight_K * target_BK * output_BK.log_softmax(-1)).sum(-1).mean()

    assert torch.allclose(compute_loss(output_BK, target_BK, "multi-label", weight_K), bce)
    assert torch.allclose(compute_loss(output_BK, target_BK, "single-label", weight_K), ce)
    assert torch.equal(
        compute_loss(output_BK, target_BK, "single-label"), F.cross_entropy(output_BK, target_BK)
    )


def data(task: Task, videos: list[Video]) -> Manifest:
    from pathlib import Path

    return Manifest(Path(), tuple(videos), ("a", "b"), "", task=task)


def test_a_recipe_without_a_task_gets_that_of_the_data() -> None:
    assert resolve_task(load(), data("multi-label", MULTI)).task == "multi-label"
    assert resolve_task(load(), data("single-label", SINGLE)) == load()


@pytest.mark.parametrize(
    ("overrides", "task", "videos", "message"),
    [
        (["task=single-label"], "multi-label", MULTI, "single-label, but .* prepared for multi-l"),
        (["augment.smoothing=0.1"], "regression", VALUES, "augment.smoothing has no meaning"),
        (["class_weights=balanced"], "regression", VALUES, "class_weights have no meaning"),
    ],
)
def test_a_recipe_that_does_not_fit_the_data_is_refused_with_the_line_to_change(
    overrides: list[str], task: Task, videos: list[Video], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        resolve_task(load(*overrides), data(task, videos))
    assert caught.value.hint and caught.value.hint.startswith("--set ")


def test_validation_videos_without_any_class_are_refused() -> None:
    none = MULTI[0]._replace(split="val", target=(0.0, 0.0))
    with pytest.raises(DataError, match="none of the 2 validation videos has any class"):
        require_validation_classes(data("multi-label", [*MULTI, none, none]))
    require_validation_classes(data("multi-label", [*MULTI, none, MULTI[0]._replace(split="val")]))


def test_videos_without_targets_are_refused() -> None:
    with pytest.raises(DataError, match="the training videos have no labels"):
        resolve_task(load(), data("multi-label", [ROW]))

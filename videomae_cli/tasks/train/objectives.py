"""The training loss of each task, its class weights, and the loss of a prediction without a clip.

    single-label   cross entropy of the softmax with soft targets (Mixup, label smoothing)
    multi-label    binary cross entropy of each class, averaged over the classes
    regression     smooth L1 loss of standardised values, averaged over the values: squared errors
                   within one standard deviation, absolute ones beyond, so that a few outlying
                   labels do not decide the gradient

All are computed in float32. Shapes: B clips, C channels, T frames, H W pixels, V videos, K outputs,
c candidate slices.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from numpy.typing import NDArray
from torch import Tensor, nn

from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig, classifier_config
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.errors import DataError, RecipeError
from videomae_cli.models.classifier import Classifier
from videomae_cli.tasks.diagnose.probe_batch import class_frequency_loss


class Loss(NamedTuple):
    """Output of the objective."""

    loss: Tensor


class Objective(nn.Module):
    """A classifier with the training loss of its task.

    `weights` are the class weights; None: all classes count the same.
    """

    weight_K: Tensor | None

    def __init__(
        self,
        classifier: Classifier,
        task: Task = "single-label",
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.task = task
        weight_K = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("weight_K", weight_K, persistent=False)

    def forward(self, clip_BCTHW: Tensor, noise_Bc: Tensor, target_BK: Tensor) -> Loss:
        """Return the loss of the outputs for clips against their targets."""
        output_BK = self.classifier(clip_BCTHW, noise_Bc).float()
        return Loss(compute_loss(output_BK, target_BK, self.task, self.weight_K))


class Targets(NamedTuple):
    """What is learned of the training videos."""

    videos: Sequence[Video]
    """The training videos; those of a regression with standardised targets."""
    config: ModelConfig
    """Of the classifier; that of a regression has the mean and std of the values."""
    weights: tuple[float, ...] | None
    """Class weights."""
    trivial_loss: float
    """Loss of the best constant prediction."""


def make_targets(recipe: FinetuneRecipe, manifest: Manifest) -> Targets:
    """Return the targets of a recipe with a resolved task.

    Raises what `class_weights` and `target_statistics` raise.
    """
    classes, videos, task = manifest.classes or (), manifest.split("train"), manifest.task
    config = classifier_config(recipe, classes)
    if task == "regression":
        mean, std = target_statistics(videos, classes)
        config = config.model_copy(update={"target_mean": mean, "target_std": std})
        videos = standardize(videos, mean, std)
    weights = class_weights(recipe, task, videos, classes)
    smoothing = recipe.augment.smoothing
    trivial = trivial_loss(videos, task, len(classes), smoothing=smoothing, weights=weights)
    return Targets(videos, config, weights, trivial)


def compute_loss(
    output_BK: Tensor, target_BK: Tensor, task: Task, weight_K: Tensor | None = None
) -> Tensor:
    """Return the mean loss of a task: logits, or standardised values, against targets."""
    if task == "multi-label":
        return F.binary_cross_entropy_with_logits(output_BK, target_BK, pos_weight=weight_K)
    if task == "regression":
        return F.smooth_l1_loss(output_BK, target_BK)
    return F.cross_entropy(output_BK, target_BK, weight=weight_K)


def class_weights(
    recipe: FinetuneRecipe, task: Task, videos: Sequence[Video], classes: Sequence[str]
) -> tuple[float, ...] | None:
    """Return the weights of the classes in the loss; None if the recipe asks for none.

    `single-label`: multiplied by a common factor so that their mean over the training videos is 1
    and the learning rate keeps its meaning. `multi-label`: as given; balanced: videos without the
    class divided by videos with it.

    Raises:
        RecipeError: The number of weights is not that of the classes, or balanced weights do not
            exist because a class is in none of the training videos, or in all of them.
    """
    given = recipe.class_weights
    if given is None:
        return None
    count_K = _count_videos(videos, task, len(classes))
    if given == "balanced":
        _require_both(count_K, len(videos), task, classes)
        if task == "multi-label":
            return tuple(((len(videos) - count_K) / count_K).tolist())
        weight_K = 1 / count_K
    else:
        if len(given) != len(classes):
            raise RecipeError(
                f"class_weights: {len(given)} values, but {recipe.data} has {len(classes)} classes",
                f"give one for each class, in the order of {recipe.data}/classes.json",
            )
        if task == "multi-label":
            return tuple(given)
        weight_K = np.array(given)
    factor = len(videos) / float((weight_K * count_K).sum())
    return tuple((weight_K * factor).tolist())


def _count_videos(videos: Sequence[Video], task: Task, classes: int) -> NDArray[np.float64]:
    """Return how many videos each class has."""
    if task == "multi-label":
        target_VK = np.array([video.target for video in videos], dtype=np.float64)
        count_K: NDArray[np.float64] = target_VK.sum(axis=0)
        return count_K
    labels = [video.label for video in videos if video.label is not None]
    return np.bincount(labels, minlength=classes).astype(np.float64)


def _require_both(
    count_K: NDArray[np.float64], videos: int, task: Task, classes: Sequence[str]
) -> None:
    without = [name for name, count in zip(classes, count_K, strict=True) if count == 0]
    everywhere = [name for name, count in zip(classes, count_K, strict=True) if count == videos]
    wrong = without or (everywhere if task == "multi-label" else [])
    if wrong:
        where = "none" if without else "all"
        raise RecipeError(
            f"class_weights: balanced: {where} of the {videos:,} training videos has the class"
            f" {wrong[0]!r}",
            "prepare the data without this class, or give a number for each class",
        )


def target_statistics(
    videos: Sequence[Video], names: Sequence[str]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each value of a regression over training videos.

    Raises a `DataError` if a value is the same for all of them.
    """
    target_VK = np.array([video.target for video in videos], dtype=np.float64)
    mean_K, std_K = target_VK.mean(axis=0), target_VK.std(axis=0)
    for name, lowest, highest in zip(
        names, target_VK.min(axis=0), target_VK.max(axis=0), strict=True
    ):
        if lowest == highest:
            raise DataError(
                f"the value {name!r} is {lowest:g} for all {len(videos):,} training videos: there"
                " is nothing to learn",
                "prepare the data without this value, or with other training videos",
            )
    return tuple(mean_K.tolist()), tuple(std_K.tolist())


def standardize(
    videos: Sequence[Video], mean: Sequence[float], std: Sequence[float]
) -> tuple[Video, ...]:
    """Return the videos with targets of mean 0 and standard deviation 1."""
    return tuple(
        video._replace(
            target=tuple(
                (value - m) / s for value, m, s in zip(video.target or (), mean, std, strict=True)
            )
        )
        for video in videos
    )


def trivial_loss(
    videos: Sequence[Video],
    task: Task,
    classes: int,
    *,
    smoothing: float,
    weights: Sequence[float] | None,
) -> float:
    """Return the loss of the best constant prediction; of standardised videos in a regression.

    It is the class frequencies, the frequency of each class, or the mean of each value. Targets
    that Mixup or CutMix mix have the same frequencies, so the loss of classes stays the same.
    """
    if task == "regression":
        target_VK = torch.tensor([video.target for video in videos], dtype=torch.float64)
        return float(F.smooth_l1_loss(torch.zeros_like(target_VK), target_VK))
    if task == "single-label" and weights is None:
        labels = [video.label for video in videos if video.label is not None]
        return class_frequency_loss(labels, classes, smoothing)
    frequency_K = torch.from_numpy(_count_videos(videos, task, classes)) / len(videos)
    weight_K = torch.ones(classes) if weights is None else torch.tensor(weights)
    weight_K = weight_K.double()
    if task == "multi-label":
        with_K = weight_K * ((1 - smoothing) * frequency_K + smoothing / 2)
        without_K = 1 - ((1 - smoothing) * frequency_K + smoothing / 2)
        total_K = with_K + without_K
        return float((total_K * _entropy(with_K / total_K, without_K / total_K)).mean())
    mass_K = weight_K * ((1 - smoothing) * frequency_K + smoothing / classes)
    return float(mass_K.sum() * torch.special.entr(mass_K / mass_K.sum()).sum())


def _entropy(*shares_K: Tensor) -> Tensor:
    return torch.stack([torch.special.entr(share_K) for share_K in shares_K]).sum(dim=0)

"""Prepare labelled clips for the classifier: erasing, then Mixup or CutMix, then soft targets.

All of it happens on the device, after normalisation. Random numbers are derived from seed, step,
rank and micro-batch number.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from timm.data.mixup import Mixup, mixup_target
from torch import Tensor

from videomae_cli.config.model import Task
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.batches import FinetuneBatch
from videomae_cli.data.erasing import erase_
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.errors import RecipeError
from videomae_cli.models.encoder import normalize_clip
from videomae_cli.rng import stream_seed


class MixedBatches:
    """Prepares micro-batches of K classes for the objective; each rank mixes differently.

    All losses are linear in the targets, or nearly so (smooth L1), so the targets of any task are
    mixed in the same proportion as the pixels.
    """

    def __init__(
        self, recipe: FinetuneRecipe, classes: int, *, rank: int, task: Task = "single-label"
    ) -> None:
        self.task = task
        self.clip = recipe.clip
        self.augment = recipe.augment
        self.classes = classes
        self._keys = (recipe.seed, rank)
        is_mixed = bool(self.augment.mixup or self.augment.cutmix)
        self._mixup = self._make_mixup(classes, self.augment.smoothing) if is_mixed else None

    def prepare(self, batch: FinetuneBatch, step: int, number: int) -> dict[str, Tensor]:
        """Return `clip_BCTHW` (uint8 if untouched), `noise_Bc`, class probabilities `target_BK`."""
        clip_BCTHW, label_B = batch.clip, batch.label
        if self.augment.erasing or self._mixup:
            clip_BCTHW = normalize_clip(clip_BCTHW, self.clip.channel_mean, self.clip.channel_std)
        if self.augment.erasing:
            erase_(clip_BCTHW, batch.erase[:, :4], batch.erase[:, 4])
        if self._mixup is None:
            target_BK = self._targets(label_B)
        else:
            seed, rank = self._keys
            with _global_draws(stream_seed(seed, "mixing", step, rank, number)):
                clip_BCTHW, target_BK = self._mix(self._mixup, clip_BCTHW, label_B)
        return {"clip_BCTHW": clip_BCTHW, "noise_Bc": batch.noise, "target_BK": target_BK}

    def _make_mixup(self, classes: int, smoothing: float) -> Mixup:
        return Mixup(
            mixup_alpha=self.augment.mixup,
            cutmix_alpha=self.augment.cutmix,
            label_smoothing=smoothing,
            num_classes=classes,
        )

    def _targets(self, label: Tensor) -> Tensor:
        """Return target_BK of label_B or target_BK, smoothed.

        Smoothing moves every class of a multi-label target towards 1/2 by its fraction.
        """
        smoothing = self.augment.smoothing
        if self.task == "single-label":
            target_BK: Tensor = mixup_target(label, self.classes, lam=1.0, smoothing=smoothing)
            return target_BK
        return label * (1 - smoothing) + smoothing / 2 if smoothing else label

    def _mix(self, mixup: Mixup, clip_BCTHW: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed clips and their targets."""
        # as images of C * T channels: of five axes, timm would cut its box from time and height
        images_BCHW = clip_BCTHW.flatten(1, 2)
        if self.task == "single-label":
            mixed_BCHW, target_BK = mixup(images_BCHW, label)
        else:
            # each clip is a class of its own: the targets are the shares of the clips in each other
            count = len(label)
            shares = self._make_mixup(count, 0.0)
            mixed_BCHW, share_BB = shares(images_BCHW, torch.arange(count, device=label.device))
            target_BK = share_BB.to(label.dtype) @ self._targets(label)
        return mixed_BCHW.view(clip_BCTHW.shape), target_BK


def require_pairs(recipe: FinetuneRecipe, plan: TrainingPlan) -> None:
    """Raise a `RecipeError` if clips are mixed and their number per micro-batch is odd."""
    augment = recipe.augment
    if (augment.mixup or augment.cutmix) and plan.micro_batch * augment.repeats % 2:
        raise RecipeError(
            f"train.micro_batch: Mixup and CutMix pair clips, and {plan.micro_batch} "
            f"x {augment.repeats} repeats is odd",
            "use an even train.batch and train.micro_batch",
        )


@contextmanager
def _global_draws(seed: int) -> Iterator[None]:
    """Seed the global generators that timm uses; restore them afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  (timm's)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (timm draws from it)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002  (timm's)

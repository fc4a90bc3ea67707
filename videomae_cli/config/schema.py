"""The two kinds of recipe: what a run is, flat, complete, frozen; a unit on every number."""

from pathlib import Path
from typing import Literal, TypeVar, cast

from pydantic import model_validator

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import (
    AutoencoderSpec,
    ClassifierSpec,
    MaskSpec,
    SelectSpec,
    TargetSpec,
)
from videomae_cli.config.spec import Count, Spec
from videomae_cli.config.training import (
    EvalSpec,
    FinetuneAugmentSpec,
    OptimSpec,
    PretrainAugmentSpec,
    ScheduleSpec,
    TrainSpec,
)


class _Recipe(Spec):
    seed: Count = 0
    """Everything random follows from it."""
    data: Path | None = None
    """Where `videomae prepare` wrote the manifest; `--data` wins."""
    clip: ClipSpec
    """Which frames and pixels make a clip."""
    optim: OptimSpec
    """Optimizer."""
    schedule: ScheduleSpec
    """Length of the run."""
    train: TrainSpec
    """Batch, precision, saving."""


class PretrainRecipe(_Recipe):
    """A pretraining run."""

    kind: Literal["pretrain"]
    """What the recipe is for."""
    model: AutoencoderSpec
    """Encoder and decoder."""
    mask: MaskSpec
    """Which tokens are hidden."""
    target: TargetSpec
    """What is predicted."""
    augment: PretrainAugmentSpec
    """How clips are varied."""

    @model_validator(mode="after")
    def _selects(self) -> "PretrainRecipe":
        if self.clip.oversample > 1 and self.mask.strategy != "motion":
            raise ValueError("clip.oversample above 1 needs mask.strategy motion")
        return self


class FinetuneRecipe(_Recipe):
    """A fine-tuning run."""

    kind: Literal["finetune"]
    """What the recipe is for."""
    start: str | None = None
    """Pretrained weights, or `scratch`; null takes the newest pretraining under `runs/`.

    `--checkpoint` wins.
    """
    model: ClassifierSpec
    """Encoder and head."""
    select: SelectSpec | None = None
    """Which tokens the classifier sees; null for all."""
    augment: FinetuneAugmentSpec
    """How clips are varied."""
    eval: EvalSpec
    """Test protocol."""

    @model_validator(mode="after")
    def _selects(self) -> "FinetuneRecipe":
        if self.clip.oversample > 1 and self.select is None:
            raise ValueError("clip.oversample above 1 needs select: {strategy: motion, ...}")
        return self


Recipe = PretrainRecipe | FinetuneRecipe
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def with_train(recipe: AnyRecipe, **changes: object) -> AnyRecipe:
    """Return the recipe with other values in its `train` section."""
    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update=changes)})
    return cast(AnyRecipe, changed)

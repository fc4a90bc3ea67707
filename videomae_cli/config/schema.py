"""The two kinds of recipe: pretraining and fine-tuning.

A recipe is complete: a run depends on nothing else but the data and the pretrained weights.
"""

from typing import Annotated, Literal, TypeVar, cast

from pydantic import Field, model_validator

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import (
    AutoencoderSpec,
    ClassifierSpec,
    MaskSpec,
    SelectSpec,
    TargetSpec,
    Task,
)
from videomae_cli.config.spec import Count, FilePath, NonNegative, PathText, Positive, Spec
from videomae_cli.config.training import (
    EvalSpec,
    FinetuneAugmentSpec,
    OptimSpec,
    PretrainAugmentSpec,
    ScheduleSpec,
    TrainSpec,
)

ClassWeights = Literal["balanced"] | tuple[Annotated[float, Field(gt=0.0)], ...]
SCRATCH = "scratch"  # the `start` of a run without pretrained weights


class PretrainEvalSpec(Spec):
    """Probes of the features in a pretraining run. They change nothing of the training."""

    probe_every_epochs: NonNegative = 0.0
    """Epochs between two probes: a simple model is fitted to the features of labelled videos, and
    its accuracy is logged beside the loss, also before the first step and after the last. 0: no
    probes."""
    probe_data: FilePath | None = None
    """Labelled videos of the probes, with the splits `train` and `val`: a prepared dataset, or a
    list or folder that `videomae prepare` reads."""
    probe_kind: Literal["knn", "linear"] = "knn"
    """`knn`: weighted vote of the 20 nearest videos; `linear`: logistic regression, or ridge
    regression for values, which takes seconds to a minute on a CPU core."""
    probe_videos: Positive = 1000
    """About the largest number of videos of each split. A larger split is reduced to the same part
    in every run, with the class frequencies of the split and at least one video of each class."""

    @model_validator(mode="after")
    def _check_probe(self) -> "PretrainEvalSpec":
        if self.probe_every_epochs and self.probe_data is None:
            raise ValueError(
                f"probe_every_epochs {self.probe_every_epochs:g} needs probe_data: labelled videos"
                " with the splits train and val, such as a folder that `videomae prepare` has"
                " written (--set eval.probe_data=DIR)"
            )
        return self


class _Recipe(Spec):
    seed: Count = 0
    """Random seed."""
    data: FilePath | None = None
    """Prepared dataset (the `--out` of `videomae prepare`); `--data` overrides it."""
    clip: ClipSpec
    """Frame sampling, clip size and tokens."""
    optim: OptimSpec
    """Optimizer and learning rates."""
    schedule: ScheduleSpec
    """Length of the run and of the warm-up."""
    train: TrainSpec
    """Batch, precision, checkpoints and logs."""


class PretrainRecipe(_Recipe):
    """A pretraining run."""

    kind: Literal["pretrain"]
    """Kind of recipe: the command that uses it."""
    start: str | None = None
    """Pretrained weights to continue from: a run, or a checkpoint of any format; `scratch` or null:
    none. `--checkpoint` overrides it."""
    model: AutoencoderSpec
    """Encoder and decoder."""
    mask: MaskSpec
    """Which tokens are masked, and which are predicted."""
    target: TargetSpec
    """Prediction target."""
    augment: PretrainAugmentSpec
    """Augmentation."""
    eval: PretrainEvalSpec = PretrainEvalSpec()
    """Probes of the features during training."""

    @model_validator(mode="after")
    def _check_oversample(self) -> "PretrainRecipe":
        if self.clip.oversample > 1 and self.mask.strategy != "motion":
            raise ValueError("clip.oversample above 1 needs mask.strategy motion")
        return self

    @model_validator(mode="after")
    def _check_color_mix(self) -> "PretrainRecipe":
        _require_rgb(self.augment.color_mix, self.clip.channels)
        return self


class FinetuneRecipe(_Recipe):
    """A fine-tuning run."""

    kind: Literal["finetune"]
    """Kind of recipe: the command that uses it."""
    start: PathText | None = None
    """Pretrained weights: a run or a checkpoint file; `scratch`: none; null: the newest finished
    pretraining run in `runs/`. `--checkpoint` overrides it."""
    task: Task | None = None
    """What is predicted. `single-label`: one class (softmax, cross entropy); `multi-label`: any
    number of classes (sigmoid, binary cross entropy); `regression`: values (smooth L1 loss, on
    values with mean 0 and standard deviation 1); null: the task of the prepared data."""
    class_weights: ClassWeights | None = None
    """Weights of the classes in the loss, or `balanced`; null: none. `single-label`: weights of the
    cross entropy, multiplied by a common factor so that their mean over the training videos is 1;
    balanced: inversely proportional to the number of training videos. `multi-label`: factors on the
    loss of the videos that have the class; balanced: videos without it divided by videos with it.
    Not with `regression`."""
    model: ClassifierSpec
    """Encoder and head."""
    select: SelectSpec | None = None
    """Which tokens the classifier uses; null: all."""
    augment: FinetuneAugmentSpec
    """Augmentation."""
    eval: EvalSpec
    """Test protocol."""

    @model_validator(mode="after")
    def _check_oversample(self) -> "FinetuneRecipe":
        if self.clip.oversample > 1 and self.select is None:
            raise ValueError("clip.oversample above 1 needs select: {strategy: motion, ...}")
        return self

    @model_validator(mode="after")
    def _check_augment_channels(self) -> "FinetuneRecipe":
        if self.augment.randaugment is not None and self.clip.channels not in (1, 3):
            raise ValueError(
                f"augment.randaugment works on RGB and grey frames, not on {self.clip.channels}"
                " channels: set it to null"
            )
        _require_rgb(self.augment.color_mix, self.clip.channels)
        return self

    @model_validator(mode="after")
    def _check_task(self) -> "FinetuneRecipe":
        if problem := find_task_problem(self, self.task):
            raise ValueError(problem)
        return self


def _require_rgb(color_mix: float, channels: int) -> None:
    if color_mix and channels != 3:
        raise ValueError(
            f"augment.color_mix mixes red, green and blue, but clips have {channels} channels"
            " (clip.channels): set it to 0"
        )


def find_task_problem(recipe: FinetuneRecipe, task: Task | None) -> str:
    """Return which value of a recipe has no meaning for a task, and what to write; or ""."""
    if task != "regression":
        return ""
    if recipe.class_weights is not None:
        return "class_weights have no meaning with task regression, which has no classes: use null"
    if recipe.augment.smoothing:
        return (
            "augment.smoothing has no meaning with task regression: label smoothing is for classes;"
            " use 0"
        )
    return ""


Recipe = PretrainRecipe | FinetuneRecipe
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def with_train(recipe: AnyRecipe, **changes: object) -> AnyRecipe:
    """Return the recipe with other values in its `train` section."""
    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update=changes)})
    return cast(AnyRecipe, changed)

"""Every model of a recipe: what a run is, with a unit on every number.

A recipe is flat, complete and frozen. Fields are numbers, text, choices, tuples and nested models,
nothing else. What never varies in the literature has a default; what a paper chose is written out
in the recipe.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0.0)]
Size = Literal["micro", "tiny", "vits", "vitb", "vitl", "vith"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Spec(BaseModel):
    """A part of a recipe: frozen, strictly typed, and with no room for unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ClipSpec(Spec):
    """Which frames and pixels make a clip, and how it is cut into tokens."""

    frames: Positive
    """Frames in a clip."""
    stride_frames: Positive
    """Distance between chosen frames, in frames of the video."""
    size: Positive
    """Height and width of a clip in pixels."""
    sampling: Literal["dense", "segment"] = "dense"
    """`dense`: frames `stride_frames` apart; `segment`: one from each of `frames` equal parts."""
    tubelet: Positive = 2
    """Frames per token."""
    patch: Positive = 16
    """Pixels per token along height and along width."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Per-channel mean (RGB, 0..1) subtracted from the pixels."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Per-channel deviation (RGB, 0..1) the pixels are divided by."""

    @model_validator(mode="after")
    def _divides(self) -> "ClipSpec":
        try:
            self.grid()
        except RecipeError as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")
        return self

    def grid(self) -> TokenGrid:
        """Return the token grid of such a clip."""
        return TokenGrid(self.frames, self.size, self.size, self.tubelet, self.patch)


class DecoderSpec(Spec):
    """The decoder of an autoencoder."""

    depth: Positive
    """Blocks."""
    dim: Positive
    """Width."""
    heads: Positive
    """Attention heads."""

    @model_validator(mode="after")
    def _divides(self) -> "DecoderSpec":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class AutoencoderSpec(Spec):
    """The model of a pretraining run."""

    size: Size
    """Encoder size."""
    positions: Literal["sine"] = "sine"
    """Position table: fixed 1-D sine over the token index."""
    decoder: DecoderSpec
    """Decoder."""
    drop_path: Fraction = 0.0
    """Stochastic depth rate of the last encoder block; grows linearly from 0."""


class ClassifierSpec(Spec):
    """The model of a fine-tuning run."""

    size: Size
    """Encoder size."""
    positions: Literal["sine"] = "sine"
    """Position table: fixed 1-D sine over the token index."""
    drop_path: Fraction = 0.1
    """Stochastic depth rate of the last block; grows linearly from 0."""
    head_dropout: Fraction = 0.0
    """Dropout before the head."""
    head_scale: Annotated[float, Field(gt=0.0)] = 0.001
    """Factor on the fresh head's weights; small means the first logits are near zero."""


class MaskSpec(Spec):
    """Which tokens the encoder does not see."""

    strategy: Literal["tube", "space"]
    """`tube`: one spatial pattern for all slices (VideoMAE); `space` is MAE-ST's name for it."""
    ratio: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Fraction of tokens masked."""


class TargetSpec(Spec):
    """What the decoder is asked to predict."""

    normalize: Literal["patch", "none"]
    """`patch`: pixels of each token and channel at mean 0, deviation 1; `none`: pixels in 0..1."""


class PretrainAugmentSpec(Spec):
    """Augmentation of pretraining clips; one draw for all frames of a clip."""

    crop: Literal["multiscale", "random-resized", "center"]
    """`multiscale`: 13 places x 10 shapes (VideoMAE); `random-resized`: area 0.5..1; `center`."""
    flip: bool
    """Mirror half of the clips left to right."""


class FinetuneAugmentSpec(Spec):
    """Augmentation of labelled clips; one draw for all frames of a clip."""

    crop: Literal["multiscale", "random-resized", "center"]
    """`random-resized`: area `area`, aspect 3/4..4/3 (VideoMAE)."""
    area: tuple[Fraction, Fraction] = (0.08, 1.0)
    """Least and most area kept by a random resized crop."""
    flip: bool
    """Mirror half of the clips. Never where left and right are different classes."""
    randaugment: str | None = None
    """timm's RandAugment string, for example `rand-m7-n4-mstd0.5-inc1`; null for none."""
    erasing: Fraction = 0.0
    """Probability that a rectangle of the clip is replaced by noise."""
    repeats: Positive = 1
    """Clips with augmentations of their own from each decoded video (repeated augmentation)."""
    mixup: Rate = 0.0
    """Beta parameter of Mixup; 0 for none."""
    cutmix: Rate = 0.0
    """Beta parameter of CutMix; 0 for none. With both, each batch takes one of them at random."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Label smoothing."""

    @model_validator(mode="after")
    def _orders(self) -> "FinetuneAugmentSpec":
        least, most = self.area
        if not 0 < least <= most:
            raise ValueError(f"area [{least:g}, {most:g}] is not the least above 0, then the most")
        return self


class OptimSpec(Spec):
    """AdamW. Rates are given at batch 256 and scaled: rate = base * batch / 256."""

    base_lr: Rate
    """Peak learning rate at batch 256."""
    min_lr: Rate
    """Rate at the end of the cosine, at batch 256; scaled like `base_lr`."""
    warmup_lr: Rate = 0.0
    """Rate of the first step, at batch 256; scaled like `base_lr`."""
    weight_decay: Rate
    """Decoupled weight decay of matrices; vectors and biases never decay."""
    betas: tuple[Fraction, Fraction]
    """Averaging factors of gradient and squared gradient."""
    eps: Annotated[float, Field(gt=0.0)] = 1e-8
    """Added to the root of the squared gradient."""
    clip_grad: Annotated[float, Field(gt=0.0)] | None = None
    """Largest global gradient norm; null for no clipping."""
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Factor on the rate per layer below the head; 1 for none."""


class ScheduleSpec(Spec):
    """How long, in epochs or in steps, never both."""

    epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Passes over the training videos."""
    warmup_epochs: Rate | None = None
    """Epochs of linear warm-up."""
    steps: Positive | None = None
    """Optimizer steps."""
    warmup_steps: Count | None = None
    """Steps of linear warm-up."""

    @model_validator(mode="after")
    def _one_unit(self) -> "ScheduleSpec":
        in_epochs = (self.epochs is not None, self.warmup_epochs is not None)
        in_steps = (self.steps is not None, self.warmup_steps is not None)
        if in_epochs == (True, True) and in_steps == (False, False):
            long, warm = self.epochs, self.warmup_epochs
        elif in_epochs == (False, False) and in_steps == (True, True):
            long, warm = self.steps, self.warmup_steps
        else:
            raise ValueError(
                "give epochs and warmup_epochs, or steps and warmup_steps, not both"
                " (null takes a key away)"
            )
        if long is not None and warm is not None and warm > long:
            raise ValueError(f"warm-up {warm:g} is longer than the run {long:g}")
        return self


class TrainSpec(Spec):
    """How the work is cut up, saved and logged."""

    batch: Positive
    """Clips per optimizer step: all devices and accumulation counted, repeats not."""
    micro_batch: Positive
    """Most clips per device and backward pass; accumulation is derived from it."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """`auto`: bf16 where the device computes it natively, else fp32 (CUDA before bf16: fp16)."""
    workers: Count | Literal["auto"] = "auto"
    """Decoding processes per device; `auto`: the cores at hand; 0: the training process."""
    save_every_steps: Positive
    """Steps between saves."""
    log_every_steps: Positive = 10
    """Steps averaged into one line of `metrics.jsonl`."""
    keep: Annotated[int, Field(ge=2)] = 3
    """Saves kept, newest first."""


class EvalSpec(Spec):
    """The test protocol: views per video."""

    clips: Positive
    """Clips along time."""
    crops: Annotated[int, Field(ge=1, le=3)]
    """Square crops along the longer side: 1 takes the centre, 3 both ends too."""
    every_epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Epochs between validations (one centre view) during training; null for none until the end."""


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
    def _hides_something(self) -> "PretrainRecipe":
        places = self.clip.grid().slice_tokens
        if int(self.mask.ratio * places) == 0:
            raise ValueError(f"mask.ratio {self.mask.ratio:g} hides none of the {places} places")
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
    augment: FinetuneAugmentSpec
    """How clips are varied."""
    eval: EvalSpec
    """Test protocol."""


Recipe = PretrainRecipe | FinetuneRecipe

"""The parts of a recipe that describe training: augmentation, optimizer, length, batch, test."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Count, Fraction, Positive, Rate, Spec


class PretrainAugmentSpec(Spec):
    """Augmentation of pretraining clips; one draw for all frames of a clip."""

    crop: Literal["multiscale", "random-resized", "center"]
    """`multiscale`: 13 places x 10 shapes (VideoMAE); `random-resized`: area 0.5..1; `center`."""
    flip: bool
    """Mirror half of the clips left to right."""
    repeats: Positive = 1
    """Clips, crops and masks of their own from each decoded video (repeated sampling)."""


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
    micro_batch: Positive | Literal["auto"]
    """Most clips per device and backward pass; accumulation is derived from it.

    `auto`: as many as fit, tried out before the first step and written into the run's
    `recipe.yaml`. Another micro-batch sums the same gradients in another order; what is drawn per
    micro-batch (Mixup, CutMix, dropout, drop path) is then another draw.
    """
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """`auto`: bf16 where the device computes it natively, else fp32 (CUDA before bf16: fp16)."""
    workers: Count | Literal["auto"] = "auto"
    """Decoding processes per device; `auto`: the cores at hand; 0: the training process."""
    save_every_steps: Positive
    """Steps between saves."""
    log_every_steps: Positive = 10
    """Steps averaged into one line of `metrics.jsonl`."""
    keep: Annotated[int, Field(ge=2)] = 3
    """Saves kept, newest first; the one with the best validation always."""
    keep_every_steps: Positive | None = None
    """Saves at multiples of this are kept for good; null for none."""
    ema: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Decay of a moving average of the weights, which is then what is validated and what `final/`
    holds; null for none."""
    recompute: bool = False
    """Activation checkpointing: less memory, about a third more computing, the same numbers."""
    compile: bool = False
    """torch.compile: a slow first step, then faster ones; other kernels, so other last digits."""
    shard: bool = False
    """FSDP2: weights, gradients and optimizer state split over the processes, for a model that
    does not fit on each. More exchange, sums in another order; not with fp16 or compile."""
    nonfinite_budget: Count = 3
    """Steps without a finite loss or gradient that are skipped and counted; one more stops."""
    track: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Where metrics are copied to, beside `metrics.jsonl`; needs the extra `videomae[track]`."""

    @model_validator(mode="after")
    def _shards(self) -> "TrainSpec":
        if self.shard and (self.compile or self.precision == "fp16"):
            other = "compile" if self.compile else "precision: fp16"
            raise ValueError(f"shard does not go together with {other}: take one of them away")
        if self.shard and self.micro_batch == "auto":
            raise ValueError("shard needs a number for micro_batch: auto tries the whole model")
        return self


class EvalSpec(Spec):
    """The test protocol: views per video."""

    clips: Positive
    """Clips along time."""
    crops: Annotated[int, Field(ge=1, le=3)]
    """Square crops along the longer side: 1 takes the centre, 3 both ends too."""
    every_epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Epochs between validations (one centre view) during training; null for none until the end."""

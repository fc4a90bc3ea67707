"""The sections of a recipe that describe training: augmentation, optimizer, schedule, tests."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Count, Fraction, NonNegative, Positive, Spec

Resize = Annotated[
    Literal["pillow", "torch"],
    Field(
        description="Resizing of the crops `multiscale` and `random-resized`. `pillow`: the pixels"
        " of the published runs to the bit, by Pillow for `multiscale` (antialiased), as float32"
        " numbers for `random-resized`. `torch`: torch's code for 8-bit images, which is about four"
        " times as fast (2 ms of a CPU core for a clip of 224 pixels instead of 6 to 9) but rounds"
        " differently: in real clips about 1 % (`multiscale`) or 13 % (`random-resized`) of the"
        " values differ by 1 of 255, very few by 2. It needs a processor with AVX2; on others it"
        " can be slower than Pillow."
    ),
]

ColorMix = Annotated[
    Fraction,
    Field(
        description="Channel mixing: strength, 0 to 1; 0: none. The RGB values of all pixels of a"
        " clip are multiplied by one random matrix, I + strength x (U - mean of U) with nine"
        " numbers U uniform in [-1, 1], then rounded and cut off at 0 and 255. A grey pixel gets a"
        " tint and keeps its mean over the channels. Use it (0.5, for example) where a model would"
        " memorise few training videos by their colours, unless colours distinguish classes."
    ),
]


class PretrainAugmentSpec(Spec):
    """Augmentation of unlabelled clips; all frames of a clip are augmented in the same way."""

    crop: Literal["multiscale", "random-resized", "center"]
    """Crop. `multiscale`: one of 13 positions and 10 shapes (VideoMAE); `random-resized`: 0.5 to 1
    of the frame area; `center`: the largest part in the centre that has the shape of a clip."""
    resize: Resize = "pillow"
    flip: bool
    """Mirror a clip left to right with probability 0.5."""
    color_mix: ColorMix = 0.0
    repeats: Positive = 1
    """Clips from each decoded video; each has its own frames, crop and mask (repeated sampling)."""


class FinetuneAugmentSpec(Spec):
    """Augmentation of labelled clips; all frames of a clip are augmented in the same way."""

    crop: Literal["multiscale", "random-resized", "center"]
    """Crop. `multiscale`: one of 13 positions and 10 shapes; `random-resized`: a fraction `area` of
    the frame, aspect ratio 3/4 to 4/3 of that of a clip (VideoMAE); `center`: the largest part in
    the centre that has the shape of a clip."""
    area: tuple[Fraction, Fraction] = (0.08, 1.0)
    """`random-resized` only: smallest and largest fraction of the frame area."""
    resize: Resize = "pillow"
    flip: bool
    """Mirror a clip left to right with probability 0.5. Set it to false if left and right
    distinguish classes."""
    randaugment: str | None = None
    """RandAugment policy in timm's notation, such as `rand-m7-n4-mstd0.5-inc1`; null: none."""
    color_mix: ColorMix = 0.0
    erasing: Fraction = 0.0
    """Probability that a rectangle of the clip is replaced by noise (random erasing)."""
    repeats: Positive = 1
    """Clips from each decoded video, each with its own augmentation (repeated augmentation)."""
    mixup: NonNegative = 0.0
    """Mixup: parameter of the beta distribution; 0: no Mixup."""
    cutmix: NonNegative = 0.0
    """CutMix: parameter of the beta distribution; 0: no CutMix. With Mixup, one of the two is drawn
    at random for each micro-batch."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Label smoothing."""

    @model_validator(mode="after")
    def _check_area(self) -> "FinetuneAugmentSpec":
        smallest, largest = self.area
        if not 0 < smallest <= largest:
            raise ValueError(
                f"area [{smallest:g}, {largest:g}] must be a smallest fraction above 0,"
                " then a largest one"
            )
        return self


class OptimSpec(Spec):
    """AdamW. Learning rates are given for batch 256 and multiplied by batch / 256."""

    base_lr: NonNegative
    """Peak learning rate at batch 256; multiplied by batch / 256."""
    min_lr: NonNegative
    """Learning rate at the end of the cosine schedule, at batch 256; scaled like `base_lr`."""
    warmup_lr: NonNegative = 0.0
    """Learning rate of the first step, at batch 256; scaled like `base_lr`."""
    weight_decay: NonNegative
    """Decoupled weight decay of weight matrices; biases and other vectors have none."""
    betas: tuple[Fraction, Fraction]
    """Decay rates of the moving averages of the gradient and of the squared gradient."""
    eps: Annotated[float, Field(gt=0.0)] = 1e-8
    """Constant added to the square root of the averaged squared gradient."""
    clip_grad: Annotated[float, Field(gt=0.0)] | None = None
    """Gradient clipping: largest global gradient norm; null: no clipping."""
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Factor on the learning rate for each layer below the head; 1: the same in all layers."""


class ScheduleSpec(Spec):
    """Length of the run and of the warm-up, in epochs or in optimizer steps."""

    epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Length of the run, in passes over the training videos."""
    warmup_epochs: NonNegative | None = None
    """Length of the linear learning-rate warm-up, in epochs."""
    steps: Positive | None = None
    """Length of the run, in optimizer steps."""
    warmup_steps: Count | None = None
    """Length of the linear learning-rate warm-up, in optimizer steps."""

    @model_validator(mode="after")
    def _check_unit(self) -> "ScheduleSpec":
        in_epochs = (self.epochs is not None, self.warmup_epochs is not None)
        in_steps = (self.steps is not None, self.warmup_steps is not None)
        if in_epochs == (True, True) and in_steps == (False, False):
            length, warmup = self.epochs, self.warmup_epochs
        elif in_epochs == (False, False) and in_steps == (True, True):
            length, warmup = self.steps, self.warmup_steps
        else:
            raise ValueError(
                "give either epochs and warmup_epochs, or steps and warmup_steps"
                " (null removes a key)"
            )
        if length is not None and warmup is not None and warmup > length:
            raise ValueError(f"warm-up {warmup:g} is longer than the run, {length:g}")
        return self


Recompute = bool | Literal["selective"]


class TrainSpec(Spec):
    """How training is executed: batch, precision, checkpoints, logs."""

    batch: Positive
    """Videos per optimizer step, over all devices and accumulation steps. Each video gives
    `augment.repeats` clips."""
    micro_batch: Positive | Literal["auto"]
    """Largest number of videos per device and backward pass; gradient accumulation follows from it.

    `auto`: on CUDA, a search starts with the device's whole share of the batch and halves it until
    two training steps fit into memory; on other devices nothing is searched and 4 is used. The
    number is written into the run's `recipe.yaml`. Another micro-batch adds the same gradients in
    another order, and random draws per micro-batch (Mixup, CutMix, dropout, drop path) change.
    """
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Floating-point precision. `auto`: bf16 if the device computes it natively, otherwise fp16 on
    CUDA and fp32 elsewhere."""
    workers: Count | Literal["auto"] = "auto"
    """Decoding processes per training process. `auto`: on a GPU, its share of the CPU cores minus
    one, at most 16; on a CPU, half of the cores. 0: decode in the training process."""
    decode_seconds: Annotated[float, Field(gt=0.0)] = 60.0
    """Longest time for decoding one video in a worker. A file that takes longer hangs: it is left
    out from then on and listed in the run's `quarantine.jsonl`."""
    save_every_steps: Positive
    """Steps between checkpoints."""
    log_every_steps: Positive = 10
    """Steps averaged into one line of `metrics.jsonl`."""
    keep: Annotated[int, Field(ge=2)] = 3
    """Number of newest checkpoints to keep; the one with the best validation is kept as well."""
    keep_every_steps: Positive | None = None
    """Checkpoints at multiples of this number of steps are never deleted; null: none."""
    ema: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Decay of an exponential moving average of the weights. The averaged weights are validated and
    written to `final/`; null: no average."""
    recompute: Recompute = False
    """Activation checkpointing, with identical losses: true stores the input of each block alone,
    for about a third more computation; `selective` stores some more and repeats less."""
    compile: bool = False
    """Use torch.compile: the first step is slow, the others are faster. Its kernels differ, so the
    last digits of losses differ too."""
    shard: bool = False
    """FSDP2: split weights, gradients and optimizer state over the processes, for models that do
    not fit on one device. It needs more communication and adds numbers in another order. Not with
    fp16, `compile` or `micro_batch: auto`."""
    nonfinite_budget: Count = 3
    """Steps with a non-finite loss or gradient that are skipped; one more stops the run."""
    track: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Trackers that receive a copy of `metrics.jsonl`; needs the extra `videomae[track]`."""

    @model_validator(mode="after")
    def _check_shard(self) -> "TrainSpec":
        if self.shard and (self.compile or self.precision == "fp16"):
            other = "compile" if self.compile else "precision: fp16"
            raise ValueError(f"shard does not support {other}: remove one of the two")
        if self.shard and self.micro_batch == "auto":
            raise ValueError(
                "shard needs a number for micro_batch: auto would try the whole model on one device"
            )
        return self


class EvalSpec(Spec):
    """The test protocol: number of views per video."""

    clips: Positive
    """Clips along time."""
    crops: Annotated[int, Field(ge=1, le=3)]
    """Crops along the longer side; 1: the centre; 3: the centre and both ends."""
    every_epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Epochs between validations with one centre view; null: validate only after the last step."""
    protocol: str | None = None
    """Published test protocol that `videomae eval` follows, such as `v1-k400`; `clips` and `crops`
    are then those of the protocol; null: frames are chosen as in training."""

    @model_validator(mode="after")
    def _check_protocol(self) -> "EvalSpec":
        if self.protocol is None:
            return self
        from videomae_cli.config.protocols import PROTOCOLS  # pretraining never needs it

        if self.protocol not in PROTOCOLS:
            raise ValueError(
                f"protocol {self.protocol!r} is not one of {', '.join(PROTOCOLS)}, or null"
            )
        published = PROTOCOLS[self.protocol]
        if (self.clips, self.crops) != (published.clips, published.crops):
            raise ValueError(
                f"protocol {self.protocol} has clips {published.clips} and crops {published.crops},"
                f" got {self.clips} and {self.crops}: change them, or set protocol to null"
            )
        return self

"""The sections of a recipe that describe a model: encoder, decoder, head, mask, target."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Fraction, Positive, Spec

Size = Literal["micro", "tiny", "vits", "vitb", "vitl", "vith", "vitg"]
MotionSource = Literal["online", "pixels"]
"""Where motion is measured: `online`: token embeddings of the model in training; `pixels`."""
PositionEmbedding = Literal["sine", "separable"]
Biases = Literal["qv", "all"]
Norm = Literal["fresh", "pretrained"]
Head = Literal["linear", "attentive"]
InitRules = Literal["videomae", "mae-st"]
Normalize = Literal["patch", "joint", "none"]
TargetFrames = Literal["all", "first", "linspace"]
Task = Literal["single-label", "multi-label", "regression"]
"""What a classifier predicts: one class of each video, any number of classes, or values."""


class DecoderSpec(Spec):
    """The decoder of an autoencoder."""

    depth: Positive
    """Number of blocks."""
    dim: Positive
    """Embedding dimension."""
    heads: Positive
    """Number of attention heads."""
    mlp_dim: Positive | None = None
    """Hidden dimension of the MLP; null: 4 times `dim`."""

    @model_validator(mode="after")
    def _check_heads(self) -> "DecoderSpec":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class _EncoderSpec(Spec):
    """The fields that pretraining and fine-tuning recipes have in common."""

    size: Size
    """Encoder size."""
    positions: PositionEmbedding = "sine"
    """Position embedding. `sine`: a fixed sine table over the token index (VideoMAE); `separable`:
    two learned tables, one for space and one for time, added (MAE-ST)."""
    class_token: bool = False
    """Add a learned class token, which takes part in attention but is not an output (MAE-ST)."""
    biases: Biases = "qv"
    """Bias parameters. `qv`: attention has biases for queries and values but not for keys, and the
    projection from encoder to decoder has none (VideoMAE); `all`: every linear layer has a bias
    (MAE-ST)."""


class AutoencoderSpec(_EncoderSpec):
    """The model of a pretraining run."""

    decoder: DecoderSpec
    """Decoder."""
    drop_path: Fraction = 0.0
    """Stochastic depth: drop probability of the last encoder block; increases linearly from 0 at
    the first block."""
    init: InitRules = "videomae"
    """Initialisation of the weights: by the rules of VideoMAE or of MAE-ST."""


class ClassifierSpec(_EncoderSpec):
    """The model of a fine-tuning run."""

    norm: Norm = "fresh"
    """Layer norm after pooling. `fresh`: newly initialised (VideoMAE); `pretrained`: the last norm
    of the pretrained encoder (MAE-ST)."""
    drop_path: Fraction = 0.1
    """Stochastic depth: drop probability of the last block; increases linearly from 0 at the first
    block."""
    frozen: bool = False
    """Train the head only (a probe). The encoder keeps its weights and its last norm; it has no
    stochastic depth, and `optim.layer_decay` does not apply to it."""
    head: Head = "linear"
    """Head. `linear`: a linear layer on the mean over the tokens; `attentive`: on what a learned
    query attends to among the tokens (CAE, V-JEPA)."""
    heads: Positive | None = None
    """`attentive` only: number of attention heads of the query; null: as many as the encoder."""
    head_dropout: Fraction = 0.0
    """Dropout probability before the head."""
    head_scale: Annotated[float, Field(gt=0.0)] = 0.001
    """Factor on the initial weights of the head; a small factor makes the first logits almost 0."""

    @model_validator(mode="after")
    def _check_head(self) -> "ClassifierSpec":
        if self.keeps_encoder_norm and self.norm == "pretrained":
            setting = "frozen: true" if self.frozen else "head: attentive"
            raise ValueError(
                f"with {setting} the pretrained norm stays in the encoder: set norm to fresh"
            )
        if self.heads is not None and self.head != "attentive":
            raise ValueError("heads can only be used with head attentive")
        return self

    @property
    def keeps_encoder_norm(self) -> bool:
        """Whether the head gets tokens that the last norm of the encoder has normalised."""
        return self.frozen or self.head == "attentive"


class MaskSpec(Spec):
    """Which tokens are masked, and which tokens are predicted."""

    strategy: Literal["tube", "space", "random", "time", "motion"]
    """Masking strategy. `tube`: the same spatial pattern in all slices (VideoMAE); `space`: another
    name for `tube` (MAE-ST); `random`: random tokens (MAE-ST); `time`: whole slices; `motion`:
    random tokens among those with the most motion (EVEREST)."""
    ratio: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Fraction of the tokens that are masked."""
    pool: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """`motion` only: fraction of the tokens that are used, those with the most motion; the others
    are neither encoded nor predicted."""
    source: MotionSource | None = None
    """`motion` only: where motion between slices is measured. `online`: token embeddings of the
    model in training (EVEREST); `pixels`: pixel values; null: `online`."""
    targets: Literal["all", "running-cell"] = "all"
    """Predicted tokens. `all`: all masked tokens; `running-cell`: a 2 x 2 pattern that shifts from
    slice to slice (VideoMAE V2)."""
    targets_ratio: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """`running-cell` only: fraction of the tokens that are not predicted, rounded down to
    whole quarters."""

    @model_validator(mode="after")
    def _check_strategy(self) -> "MaskSpec":
        is_motion = self.strategy == "motion"
        if is_motion and self.pool is None:
            raise ValueError("strategy motion needs a pool, for example 0.3")
        if not is_motion and (self.pool is not None or self.source is not None):
            raise ValueError(
                f"pool and source can only be used with strategy motion, not with {self.strategy}"
            )
        if self.pool is not None and self.pool <= 1 - self.ratio:
            raise ValueError(
                f"pool {self.pool:g} is not larger than the visible fraction {1 - self.ratio:g}:"
                " no token is left to predict"
            )
        if (self.targets == "running-cell") != (self.targets_ratio is not None):
            raise ValueError("targets: running-cell and targets_ratio must be used together")
        if is_motion and self.targets != "all":
            raise ValueError("strategy motion chooses the targets itself: set targets to all")
        return self


class SelectSpec(Spec):
    """Which tokens a classifier uses, in training and in tests (EVEREST)."""

    strategy: Literal["motion"]
    """`motion`: the tokens with the most motion."""
    pool: Annotated[float, Field(gt=0.0, le=1.0)]
    """Fraction of the tokens that are used, those with the most motion."""
    source: MotionSource = "online"
    """Where motion between slices is measured. `online`: token embeddings of the model; `pixels`:
    pixel values."""


class TargetSpec(Spec):
    """The prediction target of the decoder."""

    normalize: Normalize
    """Normalisation of the target pixels. `patch`: mean 0 and standard deviation 1 for each token
    and channel (VideoMAE); `joint`: for each token, over all channels (MAE-ST); `none`: pixels in
    0..1."""
    frames: TargetFrames = "all"
    """Predicted frames of each tubelet. `all`: all frames (VideoMAE); `first`: the first frame;
    `linspace`: evenly spaced frames of the clip, as in MAE-ST's code; with `tubelet: 2` these are
    the first frame of every tubelet except the last, and the last frame of the last tubelet."""

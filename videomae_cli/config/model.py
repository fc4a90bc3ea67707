"""The parts of a recipe that describe a model: encoder, decoder, head, mask, target."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Fraction, Positive, Spec

Size = Literal["micro", "tiny", "vits", "vitb", "vitl", "vith", "vitg"]
Source = Literal["online", "pixels"]
"""What moves: `online`: embeddings of the model in training (EVEREST); `pixels`: the pixels."""
Positions = Literal["sine", "separable"]
Biases = Literal["qv", "all"]
Norm = Literal["fresh", "pretrained"]
Rules = Literal["videomae", "mae-st"]
Normalize = Literal["patch", "joint", "none"]
TargetFrames = Literal["all", "first", "linspace"]


class DecoderSpec(Spec):
    """The decoder of an autoencoder."""

    depth: Positive
    """Blocks."""
    dim: Positive
    """Width."""
    heads: Positive
    """Attention heads."""
    mlp_dim: Positive | None = None
    """Width inside the MLP; null for 4 times `dim`."""

    @model_validator(mode="after")
    def _divides(self) -> "DecoderSpec":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class AutoencoderSpec(Spec):
    """The model of a pretraining run."""

    size: Size
    """Encoder size."""
    positions: Positions = "sine"
    """Position table: `sine`: fixed, over the token index (VideoMAE); `separable`: one learned for
    space plus one for time (MAE-ST)."""
    class_token: bool = False
    """A learned token beside the clip's, seen by all and read by none (MAE-ST)."""
    biases: Biases = "qv"
    """`qv`: attention has them for queries and values, the bridge to the decoder none (VideoMAE);
    `all`: every linear map has one (MAE-ST)."""
    decoder: DecoderSpec
    """Decoder."""
    drop_path: Fraction = 0.0
    """Stochastic depth rate of the last encoder block; grows linearly from 0."""
    init: Rules = "videomae"
    """Whose rules draw the first weights."""


class ClassifierSpec(Spec):
    """The model of a fine-tuning run."""

    size: Size
    """Encoder size."""
    positions: Positions = "sine"
    """Position table: `sine`: fixed, over the token index (VideoMAE); `separable`: one learned for
    space plus one for time (MAE-ST)."""
    class_token: bool = False
    """A learned token beside the clip's, seen by all and read by none (MAE-ST)."""
    biases: Biases = "qv"
    """`qv`: attention has them for queries and values, the bridge to the decoder none (VideoMAE);
    `all`: every linear map has one (MAE-ST)."""
    norm: Norm = "fresh"
    """The norm after pooling: `fresh` (VideoMAE), or the pretrained encoder's last (MAE-ST)."""
    drop_path: Fraction = 0.1
    """Stochastic depth rate of the last block; grows linearly from 0."""
    head_dropout: Fraction = 0.0
    """Dropout before the head."""
    head_scale: Annotated[float, Field(gt=0.0)] = 0.001
    """Factor on the fresh head's weights; small means the first logits are near zero."""


class MaskSpec(Spec):
    """Which tokens the encoder does not see, and which of those the decoder is asked for."""

    strategy: Literal["tube", "space", "random", "time", "motion"]
    """`tube`: one spatial pattern for all slices (VideoMAE); `space` is MAE-ST's name for it;
    `random`: anywhere (MAE-ST); `time`: whole slices; `motion`: among what moves most (EVEREST)."""
    ratio: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Fraction of tokens masked."""
    pool: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """`motion` only: fraction of tokens, most moving first, that take part; others are dropped."""
    source: Source | None = None
    """`motion` only: what is compared between slices; null means `online`."""
    targets: Literal["all", "running-cell"] = "all"
    """Which tokens are predicted: all candidates, or a running 2 x 2 cell (VideoMAE V2)."""
    targets_ratio: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """`running-cell` only: fraction of tokens that are not predicted; whole quarters count."""

    @model_validator(mode="after")
    def _belongs(self) -> "MaskSpec":
        is_motion = self.strategy == "motion"
        if is_motion and self.pool is None:
            raise ValueError("strategy motion needs a pool, for example 0.3")
        if not is_motion and (self.pool is not None or self.source is not None):
            raise ValueError(f"pool and source belong to strategy motion, not to {self.strategy}")
        if self.pool is not None and self.pool <= 1 - self.ratio:
            raise ValueError(
                f"pool {self.pool:g} is no more than the visible {1 - self.ratio:g}:"
                " nothing is left to predict"
            )
        if (self.targets == "running-cell") != (self.targets_ratio is not None):
            raise ValueError("targets running-cell and targets_ratio go together")
        if is_motion and self.targets != "all":
            raise ValueError("strategy motion chooses its own targets: leave targets at all")
        return self


class SelectSpec(Spec):
    """Which tokens a classifier sees, in training and in tests (EVEREST)."""

    strategy: Literal["motion"]
    """`motion`: the tokens that move most."""
    pool: Annotated[float, Field(gt=0.0, le=1.0)]
    """Fraction of tokens kept, most moving first."""
    source: Source = "online"
    """What is compared between slices."""


class TargetSpec(Spec):
    """What the decoder is asked to predict."""

    normalize: Normalize
    """`patch`: pixels of each token and channel at mean 0, deviation 1 (VideoMAE); `joint`: of each
    token, its channels together (MAE-ST); `none`: pixels in 0..1."""
    frames: TargetFrames = "all"
    """Predicted frames of each tubelet: `all` (VideoMAE); the `first`; or MAE-ST's published choice
    `linspace`, which differs from `first` in the last tubelet, whose last frame it takes."""

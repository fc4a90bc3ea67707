"""The card beside a set of weights: all it takes to use them without the recipe behind them."""

from typing import Any, Literal

from pydantic import Field

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.model import Biases, Frames, Normalize, Positions
from videomae_cli.config.spec import Spec
from videomae_cli.grid import TokenGrid


class StackSpec(Spec):
    """A stack of transformer blocks, and what its tokens are given on the way in."""

    dim: int
    """Width."""
    depth: int
    """Blocks."""
    heads: int
    """Attention heads."""
    mlp_dim: int
    """Width inside the MLP."""
    positions: Positions = "sine"
    """Position table: `sine`: fixed; `separable`: one learned for space plus one for time."""
    class_token: bool = False
    """Is there a learned token beside the clip's?"""
    biases: Biases = "qv"
    """`qv`: keys have none, nor has the bridge to such a decoder; `all`: every map has one."""


class GridSpec(Spec):
    """The fields of a `TokenGrid`."""

    frames: int
    height: int
    width: int
    tubelet: int
    patch: int
    channels: int

    def grid(self) -> TokenGrid:
        """Return the grid itself."""
        return TokenGrid(
            self.frames, self.height, self.width, self.tubelet, self.patch, self.channels
        )

    @classmethod
    def of(cls, grid: TokenGrid) -> "GridSpec":
        """Describe a grid."""
        return cls(
            frames=grid.frames,
            height=grid.height,
            width=grid.width,
            tubelet=grid.tubelet,
            patch=grid.patch,
            channels=grid.channels,
        )


class Card(Spec):
    """`model.json`, written beside `model.safetensors`."""

    format: Literal["videomae-native"] = "videomae-native"
    version: Literal[1] = 1
    kind: Literal["autoencoder", "classifier", "encoder"]
    """What the weights are; `encoder`: one alone, to fine-tune."""
    encoder: StackSpec
    """Encoder shape."""
    decoder: StackSpec | None = None
    """Decoder shape; autoencoders only."""
    grid: GridSpec
    """Clip geometry."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Per-channel mean subtracted from pixels in 0..1."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Per-channel deviation."""
    stride_frames: int = 4
    """Distance between frames of a clip."""
    sampling: Literal["dense", "segment"] = "dense"
    """How test frames are chosen."""
    oversample: float = 1.0
    """Candidate slices per slice used."""
    select: dict[str, Any] | None = None
    """The `select` part of the fine-tuning recipe; classifiers only."""
    classes: tuple[str, ...] | None = None
    """Class names by label; classifiers only."""
    pooling: Literal["mean", "first"] = "mean"
    """What the head reads: the mean over the tokens, or the first token; classifiers only."""
    norm_of: Literal["tokens", "mean"] | None = None
    """What the norm after an encoder alone is over; null if it has none."""
    normalize: Normalize | None = None
    """Target normalisation; autoencoders only."""
    target_frames: Frames = "all"
    """Predicted frames of each tubelet; autoencoders only."""
    mask: dict[str, Any] | None = None
    """The `mask` part of the pretraining recipe; autoencoders only."""
    protocol: dict[str, Any] | None = None
    """The `eval` part of the fine-tuning recipe; classifiers only."""
    data: str | None = None
    """Directory of the manifest the weights were trained on."""
    step: int | None = None
    """Optimizer steps taken."""
    license: str | None = None
    """Licence of the weights where known, carried through every conversion."""
    derived_from: tuple[str, ...] = ()
    """Where the weights came from, oldest first."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    """The resolved recipe, for the record."""
    software: dict[str, str] = Field(default_factory=dict)
    """Versions of videomae, torch and the decoder that made them."""

"""What a `Model` returns, as NumPy arrays with names.

Shapes: K classes or values, R rows, N tokens, D embedding dimension, T frames, H W pixels, C
channels, t slices of frames, h w rows and columns of tokens.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.tasks.predict.result import Label


class Prediction(NamedTuple):
    """What a classifier predicts for one video."""

    path: str
    """As it was given; `<array 0>` for the first video of a list if it is an array."""
    classes: tuple[str, ...]
    """Names of the K classes, or of the values of a regression."""
    score_K: NDArray[np.float32]
    """(K,) Probabilities of the classes, or the values of a regression: means over the views."""
    top: list[Label]
    """The names to show, each with its score, the highest first: the `top_k` most probable classes;
    `multi-label`: all classes above 0.5 if there are any; `regression`: all values in order."""
    task: Task
    """`single-label`, `multi-label` or `regression`."""


class FeatureRow(NamedTuple):
    """Which part of which video a row of features is."""

    path: str
    """As it was given; `<array 0>` for the first video of a list if it is an array."""
    video: int
    """Position of the video in the list that was given."""
    clip: int | None
    """Number of the clip in the video; None: the mean over all clips."""
    crop: int | None
    """Number of the crop of the clip; None: the mean over all crops."""
    frames: tuple[tuple[int, ...], ...]
    """Frame numbers of each clip."""
    start: float | None
    """When the first frame starts, in seconds; None if the frame rate is unknown."""
    end: float | None
    """When the last frame ends, in seconds."""


class Features(NamedTuple):
    """The outputs of an encoder for some videos."""

    values: NDArray[np.float32]
    """(R, D) for `mean`, (R, N, D) for `tokens`, (R, t, D) for `per-slice`."""
    rows: tuple[FeatureRow, ...]
    """R rows, in the order of the videos, then of time."""
    layer: int
    """0: before the first block, k: after block k."""


class MaskedClip(NamedTuple):
    """The clip in the middle of a video, and a mask of its tokens."""

    path: str
    """As it was given; `<array 0>` if it is an array."""
    frames: tuple[int, ...]
    """(T,) Numbers of the frames in the video."""
    clip_THWC: NDArray[np.uint8]
    """The frames as the model sees them: resized and cropped."""
    masked_THWC: NDArray[np.uint8]
    """The same frames with the hidden tokens in grey."""
    visible_thw: NDArray[np.bool_]
    """Whether the encoder sees a token."""
    target_thw: NDArray[np.bool_]
    """Whether the decoder predicts a token."""
    counted_thw: NDArray[np.bool_]
    """Whether the prediction of a token enters the loss."""
    strategy: str
    ratio: float


class Reconstruction(NamedTuple):
    """A masked clip, and what an autoencoder predicts for its hidden tokens."""

    mask: MaskedClip
    clip_THWC: NDArray[np.uint8]
    """Targets predicted, visible tokens copied from the input, all others black."""
    error_thw: NDArray[np.float32]
    """Root mean squared error of each hidden target in 0..1; NaN for all other tokens."""
    loss: float
    """The training loss of this clip."""
    psnr: float
    """Peak signal-to-noise ratio of the predicted hidden pixels, in dB."""
    statistics: Literal["visible", "target", "none"]
    """Where mean and standard deviation of a hidden tubelet are from: the `visible` tokens around
    it; the hidden pixels themselves (`target`); `none`: the model predicts pixels."""

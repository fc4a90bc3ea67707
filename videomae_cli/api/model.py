"""A model that stays loaded: predictions, features, masks and reconstructions of videos."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import torch
from torch import nn

from videomae_cli.api.features import compute_features
from videomae_cli.api.masking import mask_video, reconstruct_video
from videomae_cli.api.messages import LogReport, explain_errors, require_positive
from videomae_cli.api.predictions import predict_videos
from videomae_cli.api.results import Features, MaskedClip, Prediction, Reconstruction
from videomae_cli.api.session import Session, VideoOptions
from videomae_cli.api.videos import VideoInput, is_one_video
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.checkpoints.untrained_head import is_untrained_head
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.engine.local_runtime import LocalRuntime
from videomae_cli.models.features import Pooling
from videomae_cli.tasks.features.options import FeatureOptions, Level
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.visualize.setup import Options


class Model:
    """A model of videos that `load` has read from a checkpoint.

    Videos are paths of files or of folders of frames, NumPy arrays (T, H, W, C) of uint8, or torch
    tensors of the same layout on any device. Calls from several threads are answered one after the
    other. An error is a `VideoMAEError`; arguments have the names of the options of the commands.
    """

    def __init__(self, loaded: Checkpoint, network: nn.Module, runtime: LocalRuntime) -> None:
        self._session = Session(
            loaded._replace(weights={}),
            network,
            runtime,
            LogReport(),
            threading.Lock(),
            is_untrained_head(loaded.weights),
        )

    def __repr__(self) -> str:
        about = f"{self.config.kind} of dimension {self.config.encoder.dim}"
        return f"<Model {self.file}: {about}, {self.precision} on {self.device}>"

    @property
    def config(self) -> ModelConfig:
        """Everything that decides what the model computes: the content of `model.json`."""
        return self._session.config

    @property
    def file(self) -> Path:
        """The file of the weights."""
        return self._session.loaded.file

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, or of the values of a regression; empty if there are none."""
        return self.config.classes or ()

    @property
    def device(self) -> torch.device:
        """The device that computes predictions and features."""
        return self._session.runtime.device

    @property
    def precision(self) -> str:
        """The precision of predictions and features: fp32, bf16 or fp16."""
        return self._session.runtime.precision

    # a str is a sequence of str too, and the first matching form counts
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        videos: VideoInput,
        *,
        top_k: int = 5,
        protocol: str | None = None,
        clips: int | None = None,
        crops: int | None = None,
        fps: float | None = None,
        skip_unreadable: bool = False,
        allow_untrained_head: bool = False,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        videos: Sequence[VideoInput],
        *,
        top_k: int = 5,
        protocol: str | None = None,
        clips: int | None = None,
        crops: int | None = None,
        fps: float | None = None,
        skip_unreadable: bool = False,
        allow_untrained_head: bool = False,
    ) -> list[Prediction]: ...

    def predict(
        self,
        videos: VideoInput | Sequence[VideoInput],
        *,
        top_k: int = 5,
        protocol: str | None = None,
        clips: int | None = None,
        crops: int | None = None,
        fps: float | None = None,
        skip_unreadable: bool = False,
        allow_untrained_head: bool = False,
    ) -> Prediction | list[Prediction]:
        """Predict the labels of one video, or of a list: what `videomae predict` gives for it.

        Args:
            videos: One video, or a list.
            top_k: How many classes `Prediction.top` has.
            protocol: A published test protocol; None: that of the checkpoint, or `clips`, `crops`.
            clips: Clips along time.
            crops: Crops along the longer side.
            fps: Frame rate of the arrays; needed if clips are sampled in time.
            skip_unreadable: Leave out videos that cannot be read, with a warning.
            allow_untrained_head: Use a head that was never trained.

        Raises:
            CheckpointError: It is no classifier, its head is untrained, or outputs are not finite.
            DataError: A video cannot be read: the message names it, and nothing is returned.
            UsageError: An argument is wrong.
        """
        options = PredictOptions(
            top_k, protocol, clips, crops, allow_untrained_head=allow_untrained_head
        )
        reading = VideoOptions(fps, skip_unreadable)
        with explain_errors():
            require_positive(top_k=top_k, clips=clips, crops=crops)
            predictions = predict_videos(self._session, videos, options, reading)
        return predictions[0] if is_one_video(videos) else predictions

    def features(
        self,
        videos: VideoInput | Sequence[VideoInput],
        *,
        level: Level = "video",
        pooling: Pooling | None = None,
        layer: int = -1,
        window: float | None = None,
        hop: float | None = None,
        protocol: str | None = None,
        clips: int | None = None,
        crops: int | None = None,
        fps: float | None = None,
        skip_unreadable: bool = False,
    ) -> Features:
        """Compute the outputs of the encoder, (R, D) by default: what `videomae features` writes.

        Args:
            videos: One video, or a list; the result has the same form.
            level: A row for each `video` (mean over views), `clip` (mean over crops), `window` of
                time, or view (`token`).
            pooling: `mean` (R, D), `tokens` (R, N, D) or `per-slice` (R, t, D); None: by `level`.
            layer: 0: before the first block, k: after block k; -1 is the last.
            window: Duration of a window in seconds.
            hop: Seconds from one window to the next; None: `window`.
            protocol: As in `predict`; without one of the checkpoint 5 clips and 1 crop.
            clips: As in `predict`.
            crops: As in `predict`.
            fps: As in `predict`.
            skip_unreadable: As in `predict`.

        Raises what `predict` raises, for models of every kind.
        """
        options = FeatureOptions(Path(), None, (), level, pooling, layer, "npz", protocol)
        options = options._replace(clips=clips, crops=crops, window=window, hop=hop)
        reading = VideoOptions(fps, skip_unreadable)
        with explain_errors():
            require_positive(clips=clips, crops=crops)
            return compute_features(self._session, videos, options, reading)

    def mask(
        self,
        video: VideoInput,
        strategy: str | None = None,
        ratio: float | None = None,
        *,
        seed: int = 0,
        fps: float | None = None,
    ) -> MaskedClip:
        """Mask the clip in the middle of a video, as `videomae visualize-mask` does.

        Args:
            video: One video.
            strategy: `tube`, `random`, `time`, `space`, `motion` or `tube+running-cell`; None: that
                of the checkpoint, or a tube.
            ratio: Fraction of the tokens that is hidden; None: as trained, or as published.
            seed: The same seed gives the same mask.
            fps: Frame rate of an array; needed if clips are sampled in time.

        Raises:
            DataError: The video cannot be read.
            UsageError: The strategy is unknown, or does not support the ratio.
            RecipeError: The mask is impossible on the tokens of this model.
        """
        options = Options(strategy=strategy, ratio=ratio, seed=seed)
        with explain_errors():
            return mask_video(self._session, video, options, fps)

    def reconstruct(
        self,
        video: VideoInput,
        strategy: str | None = None,
        ratio: float | None = None,
        *,
        seed: int = 0,
        target_stats: bool = False,
        fps: float | None = None,
    ) -> Reconstruction:
        """Mask the clip in the middle of a video, and predict its hidden tokens.

        It is computed in fp32 on the CPU, as `videomae visualize-mask` does.

        Args:
            video: As in `mask`, and so are the next three.
            strategy: As in `mask`.
            ratio: As in `mask`.
            seed: As in `mask`.
            target_stats: Use mean and standard deviation of the hidden pixels themselves, which
                gives a better picture than any model can predict.
            fps: As in `mask`.

        Raises:
            CheckpointError: The model has no decoder.
            DataError, UsageError, RecipeError: As in `mask`.
        """
        options = Options(strategy=strategy, ratio=ratio, seed=seed, target_stats=target_stats)
        with explain_errors():
            return reconstruct_video(self._session, video, options, fps)

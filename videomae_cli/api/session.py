"""A loaded model with its device, and what predictions and features have in common."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from videomae_cli.api.messages import LogReport
from videomae_cli.api.videos import VideoList, as_list, describe_rejected, read_videos, require_rate
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.ingest.input_videos import RejectedInput
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.local_runtime import LocalRuntime
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.evaluate.parts import ItemOutput
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.predict.result import NOT_FINITE


class Session(NamedTuple):
    """A model in evaluation mode on its device."""

    loaded: Checkpoint
    """Without the weights, which the network has."""
    network: nn.Module
    """An autoencoder, a classifier or a bare encoder."""
    runtime: LocalRuntime
    report: LogReport
    lock: threading.Lock
    """For one computation at a time."""
    is_untrained: bool
    """Whether it is a classifier whose head was never trained."""

    @property
    def config(self) -> ModelConfig:
        """The model configuration."""
        return self.loaded.config


class VideoOptions(NamedTuple):
    """How the videos of a call are read."""

    fps: float | None = None
    """Frame rate of the arrays."""
    skip_unreadable: bool = False
    """Whether videos that cannot be read are left out, with a warning."""


def read_list(
    session: Session, videos: object, protocol: Protocol, clip: ClipSpec, options: VideoOptions
) -> VideoList:
    """Read the videos of a call, and check that clips can be chosen.

    Raises:
        DataError: A video cannot be read, and is not to be skipped, or none can be read.
        UsageError: There is no video, or the frame rate of an array is needed and unknown.
    """
    given = as_list(videos)
    channels = session.config.grid.channels
    found = read_videos(given, session.report, channels=channels, fps=options.fps)
    for number in found.inputs.arrays:
        video = found.inputs.videos[number]
        if clip.step_seconds is not None:
            require_rate(video.path, video.fps, f"the model takes {clip.describe()}")
        elif protocol.rules == "pyslowfast":
            require_rate(video.path, video.fps, f"protocol {protocol.name} needs a frame rate")
    report_rejected(session, found.inputs.rejected, len(given), options)
    return found


def compute(session: Session, model: nn.Module, run: Run) -> list[ItemOutput]:
    """Run a model on views; calls of other threads wait.

    Raises:
        TrainingError: A process that decodes videos died.
    """
    runtime, report = session.runtime, session.report
    with session.lock, explain_worker_death():
        return list(run_views(model, run, runtime=runtime, report=report))


def check_outputs(
    session: Session, outputs: Sequence[ItemOutput], views: EvalViews, options: VideoOptions
) -> list[ItemOutput]:
    """Return the outputs of the items, videos or windows of them, that could be decoded.

    Raises:
        DataError: A video could not be decoded, and is not to be skipped, or none could be decoded.
        CheckpointError: Outputs are not finite.
    """
    names = [views.videos[request.video].path for request in views.requests]
    bad = {names[one.number]: one.error for one in outputs if one.error}
    rejected = [RejectedInput(*one) for one in bad.items()]
    report_rejected(session, rejected, len(set(names)), options)
    for output in outputs:
        if not np.isfinite(output.output).all():
            raise CheckpointError(
                f"{session.loaded.file}: {NOT_FINITE} for {names[output.number]}",
                "load it with precision='fp32' if fp16 overflows; else the weights are too large,"
                " from a training that diverged: use an earlier checkpoint",
            )
    return [output for output in outputs if not output.error]


def report_rejected(
    session: Session, rejected: Sequence[RejectedInput], count: int, options: VideoOptions
) -> None:
    """Raise an error about videos that cannot be read, or warn if others are left."""
    if rejected and (not options.skip_unreadable or len(rejected) == count):
        raise describe_rejected(rejected, count)
    for one in rejected:
        session.report.warn(f"{one.name}: {one.reason}")

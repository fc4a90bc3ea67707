"""Validate a classifier in training: one centre view of every validation video.

Shapes: V videos, K classes or values.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.engine.distributed.fsdp import gather_weights
from videomae_cli.engine.logging.metrics import Metric
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.step import NonFiniteError
from videomae_cli.errors import CheckpointError
from videomae_cli.report import Report, Silence
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos

METRICS: Mapping[Task, Metric] = {
    "single-label": Metric("top1"),
    "multi-label": Metric("map"),
    "regression": Metric("mae", higher_is_better=False),
}
"""The validation figure that decides which checkpoint is the best."""
FIGURES: Mapping[Task, tuple[str, ...]] = {
    "single-label": ("top1", "mean_class", "loss", "top5"),
    "multi-label": ("map", "loss"),
    "regression": ("mae", "r2"),
}
"""What is logged of a validation."""
MAX_NAMED = 8


def make_validation(
    classifier: nn.Module,
    config: ModelConfig,
    manifest: Manifest,
    runtime: Runtime,
    report: Report,
) -> Callable[[int], dict[str, float]] | None:
    """Return a function that scores one centre view of every validation video; None without any.

    It raises a `NonFiniteError` if no video gets finite scores.
    """
    videos = manifest.split("val")
    if not videos:
        return None
    views = make_views(manifest, "val", config.clip(), Protocol(clips=1, crops=1))

    def validate(step: int) -> dict[str, float]:
        with gather_weights(classifier):
            scores = score_videos(
                classifier, config, views, runtime=runtime, report=Silence(), title="validating"
            )
        return _measure(scores, videos, step, report)

    return validate


def describe_best(best: Mapping[str, float], task: Task) -> str:
    """Return the best validation as text, with its step."""
    at = f"at step {best['step']:,.0f}"
    if task == "multi-label":
        return f"best validation mAP {100 * best['map']:.1f} % {at}"
    if task == "regression":
        return f"best validation mean absolute error {best['mae']:.4g} {at}"
    return f"best validation top-1 {100 * best['top1']:.1f} % {at}"


def _measure(
    scores: Scores, videos: Sequence[Video], step: int, report: Report
) -> dict[str, float]:
    """Return the figures of a validation, and warn of videos without finite outputs."""
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        raise _failure(step, error.message, error.hint) from error
    if len(scores.nonfinite):
        what = "left out" if scores.task == "regression" else "counted as wrong"
        paths = ", ".join(videos[index].path for index in scores.nonfinite[:MAX_NAMED])
        report.warn(
            f"step {step:,}: validation: the outputs for {len(scores.nonfinite):,} of"
            f" {len(scores.target):,} videos are not finite; {what}: {paths}"
        )
    known = [name for name in FIGURES[scores.task] if name in metrics]
    best = METRICS[scores.task].name
    return {n: metrics[n] for n in known if n == best or not math.isnan(metrics[n])}


def _failure(step: int, problem: str, hint: str) -> NonFiniteError:
    failure = NonFiniteError(f"step {step:,}: validation: {problem}", hint)
    failure.is_shared = True  # all processes have the same scores
    return failure

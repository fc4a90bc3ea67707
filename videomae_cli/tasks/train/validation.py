"""Validate a classifier in training: one centre view of every validation video.

Shapes: V videos, K classes or values.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.engine.distributed.fsdp import gather_weights
from videomae_cli.engine.logging.metrics import Metric
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.step import NonFiniteError
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.models.outputs import to_scores
from videomae_cli.report import Report, Silence
from videomae_cli.tasks.evaluate.metrics.multi_label import multi_label_metrics
from videomae_cli.tasks.evaluate.metrics.regression import regression_metrics
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos

METRICS: Mapping[Task, Metric] = {
    "single-label": Metric("top1"),
    "multi-label": Metric("map"),
    "regression": Metric("mae", higher_is_better=False),
}
"""The validation figure that decides which checkpoint is the best."""
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

    Raises:
        DataError: No validation video has any of the classes, so there is no precision.
    """
    videos = manifest.split("val")
    if not videos:
        return None
    if config.task == "multi-label" and not any(any(video.target or ()) for video in videos):
        raise DataError(
            f"{manifest.folder}: none of the {len(videos):,} validation videos has any class",
            "move videos with classes to the split val, or prepare the data without that split",
        )
    views = make_views(manifest, "val", config.clip(), Protocol(clips=1, crops=1))

    def validate(step: int) -> dict[str, float]:
        with gather_weights(classifier):
            if config.task == "single-label":
                scores = score_videos(
                    classifier, manifest, "val", views, runtime=runtime, report=Silence()
                )
                return _measure(scores, videos, step, report)
            outputs = _compute_scores(classifier, config, views, runtime)
        return _measure_outputs(outputs, videos, config, step, report)

    return validate


def describe_best(best: Mapping[str, float], task: Task) -> str:
    """Return the best validation as text, with its step."""
    at = f"at step {best['step']:,.0f}"
    if task == "multi-label":
        return f"best validation mAP {100 * best['map']:.1f} % {at}"
    if task == "regression":
        return f"best validation mean absolute error {best['mae']:.4g} {at}"
    return f"best validation top-1 {100 * best['top1']:.1f} % {at}"


def _compute_scores(
    classifier: nn.Module, config: ModelConfig, views: EvalViews, runtime: Runtime
) -> dict[int, NDArray[np.float32]]:
    """Return the scores (K,) of each video that could be decoded, by its number in the split."""

    def average(logits_VK: NDArray[np.float32]) -> NDArray[np.float32]:
        mean_K: NDArray[np.float32] = to_scores(torch.from_numpy(logits_VK), config).mean(0).numpy()
        return mean_K

    classifier.eval()
    run = Run(views, average, "validating")
    items = list(run_views(classifier, run, runtime=runtime, report=Silence()))
    return {
        item.number: item.output
        for item in sorted(runtime.gather(items), key=lambda item: item.number)
        if not item.error
    }


def _measure_outputs(
    outputs: Mapping[int, NDArray[np.float32]],
    videos: Sequence[Video],
    config: ModelConfig,
    step: int,
    report: Report,
) -> dict[str, float]:
    """Return `map` and `loss`, or `mae` and, where it is defined, `r2`.

    Videos without finite scores are left out, with a warning.
    """
    finite = {number: row for number, row in outputs.items() if np.isfinite(row).all()}
    if not outputs:
        raise DataError(
            f"none of {len(videos):,} validation videos could be decoded",
            "check that the videos are still where they were prepared",
        )
    if not finite:
        problem = f"the outputs are not finite for any of {len(outputs):,} videos"
        raise _failure(step, problem, "lower optim.base_lr")
    bad = [videos[number].path for number in outputs if number not in finite]
    if bad:
        report.warn(
            f"step {step:,}: validation: the outputs for {len(bad):,} of {len(outputs):,} videos"
            f" are not finite; left out: {', '.join(bad[:MAX_NAMED])}"
        )
    target_VK = np.array([videos[number].target for number in finite], dtype=np.float64)
    output_VK = np.array(list(finite.values()), dtype=np.float32)
    if config.task == "multi-label":
        figures = multi_label_metrics(target_VK, output_VK)
        return {name: figures[name] for name in ("map", "loss")}
    figures = regression_metrics(target_VK, output_VK, config.classes or ())
    names = ["mae", "r2"] if math.isfinite(figures["r2"]) else ["mae"]
    return {name: figures[name] for name in names}


def _measure(
    scores: Scores, videos: Sequence[Video], step: int, report: Report
) -> dict[str, float]:
    """Return the metrics of a validation, and warn of videos without finite probabilities."""
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        raise _failure(step, error.message, error.hint) from error
    if len(scores.nonfinite):
        paths = ", ".join(videos[index].path for index in scores.nonfinite[:MAX_NAMED])
        report.warn(
            f"step {step:,}: validation: the outputs for {len(scores.nonfinite):,} of"
            f" {len(scores.labels):,} videos are not finite; counted as wrong: {paths}"
        )
    return metrics


def _failure(step: int, problem: str, hint: str) -> NonFiniteError:
    failure = NonFiniteError(f"step {step:,}: validation: {problem}", hint)
    failure.is_shared = True  # all processes have the same scores
    return failure

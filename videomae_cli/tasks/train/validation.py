"""Validate a classifier in training: one centre view of every validation video.

Shapes: V videos, K classes or values.
"""

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
    """
    videos = manifest.split("val")
    if not videos:
        return None
    views = make_views(manifest, "val", config.clip(), Protocol(clips=1, crops=1))

    def validate(step: int) -> dict[str, float]:
        with gather_weights(classifier):
            if config.task == "single-label":
                scores = score_videos(
                    classifier, manifest, "val", views, runtime=runtime, report=Silence()
                )
                return _measure(scores, videos, step, report)
            outputs = _compute_scores(classifier, config, views, runtime)
        return _measure_outputs(outputs, videos, config.task, step, report)

    return validate


def describe_best(best: Mapping[str, float], task: Task) -> str:
    """Return the best validation as text, with its step."""
    at = f"at step {best['step']:,.0f}"
    if task == "multi-label":
        return f"best validation mAP {100 * best['map']:.1f} % {at}"
    if task == "regression":
        return f"best validation mean absolute error {best['mae']:.4g} {at}"
    return f"best validation top-1 {100 * best['top1']:.1f} % {at}"


def multi_label_figures(
    target_VK: NDArray[np.float64], probability_VK: NDArray[np.float32]
) -> dict[str, float]:
    """Return `map`, the mean average precision over the classes that a video has, and `loss`.

    The loss is the binary cross entropy of the probabilities. Without any class in the videos,
    `map` is nan.
    """
    from sklearn.metrics import average_precision_score  # slow to load, needed at the first only

    present = np.flatnonzero(target_VK.sum(axis=0))
    precisions = [average_precision_score(target_VK[:, k], probability_VK[:, k]) for k in present]
    clipped_VK = np.clip(probability_VK.astype(np.float64), 1e-12, 1 - 1e-12)
    log_VK = target_VK * np.log(clipped_VK) + (1 - target_VK) * np.log(1 - clipped_VK)
    mean = float(np.mean(precisions)) if precisions else float("nan")
    return {"map": mean, "loss": float(-log_VK.mean())}


def regression_figures(
    target_VK: NDArray[np.float64], value_VK: NDArray[np.float32]
) -> dict[str, float]:
    """Return `mae`, the mean absolute error, and `r2`; means over the K values."""
    from sklearn.metrics import mean_absolute_error, r2_score

    mae = float(mean_absolute_error(target_VK, value_VK))
    if len(target_VK) < 2:
        return {"mae": mae}
    return {"mae": mae, "r2": float(r2_score(target_VK, value_VK))}


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
    task: Task,
    step: int,
    report: Report,
) -> dict[str, float]:
    """Return the metrics, and warn of videos without finite scores, which are left out."""
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
    measure = multi_label_figures if task == "multi-label" else regression_figures
    return measure(target_VK, output_VK)


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

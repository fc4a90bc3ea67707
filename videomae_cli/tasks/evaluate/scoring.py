"""Compute the scores of the videos of a split, each the mean over its views.

The logits of each view become scores (`models/outputs`: softmax, sigmoid, or values), and the
scores of all views of a video are averaged: the rule of VideoMAE since August 2022, and of every
other published protocol.

Shapes: V views or videos, K classes or values.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.runtime import Runtime
from videomae_cli.models.outputs import to_scores
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import ItemOutput, PartStore
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.evaluate.scores import Failure, Scores

Outputs = NDArray[np.float32]


def make_views(manifest: Manifest, split: str, clip: ClipSpec, protocol: Protocol) -> EvalViews:
    """Return the test views of a split; raises what `Protocol.apply` raises."""
    return EvalViews(
        manifest.split(split),
        manifest.root,
        protocol.apply(clip).candidates(),
        protocol,
        times=manifest.times,
    )


def score_videos(
    classifier: nn.Module,
    config: ModelConfig,
    views: EvalViews,
    *,
    runtime: Runtime,
    report: Report,
    title: str,
    store: PartStore | None = None,
    keep_views: bool = False,
) -> Scores:
    """Run a classifier on videos; each process scores its share, and all return all scores.

    `config` describes the classifier, whose logits of every view are returned as well with
    `keep_views`. Finished parts are kept in the `store`.

    Raises:
        Stopped: A signal asked any process to stop.
    """
    classifier.eval()
    average = partial(average_scores, config=config)
    run = Run(views, _keep if keep_views else average, title, store)
    with explain_worker_death():
        items = list(run_views(classifier, run, runtime=runtime, report=report))
    items = sorted(runtime.gather(items), key=lambda item: item.number)
    good = [item for item in items if not item.error]
    outputs = [average(item.output) if keep_views else item.output for item in good]
    return Scores(
        np.array([item.number for item in good], dtype=np.int64),
        _collect_targets(config, views, good),
        np.array(outputs, dtype=np.float32),
        tuple(Failure(views.videos[i.number].name, i.error) for i in items if i.error),
        config.task,
        config.classes or (),
        tuple(item.output for item in good) if keep_views else None,
    )


def average_scores(logits_VK: Outputs, config: ModelConfig) -> Outputs:
    """Return the scores of a video (K,), the mean over its views; NaN if one is not finite."""
    mean_K: Outputs = _score(logits_VK, partial(to_scores, config=config)).mean(axis=0)
    return mean_K


def view_probabilities(logits_VK: Outputs) -> Outputs:
    """Return the scores (V, K) of views of a single-label task, for logits without a model."""
    return _score(logits_VK, partial(torch.softmax, dim=-1))


def average_probabilities(logits_VK: Outputs) -> Outputs:
    """Return the probabilities of a video (K,) of a single-label task: the mean over its views."""
    mean_K: Outputs = view_probabilities(logits_VK).mean(axis=0)
    return mean_K


def _score(logits_VK: Outputs, to_score: Callable[[Tensor], Tensor]) -> Outputs:
    """Return the scores (V, K) of views, NaN for a view with logits that are not finite."""
    logits = torch.from_numpy(logits_VK)
    is_finite_V1 = logits.isfinite().all(dim=-1, keepdim=True)
    score_VK: Outputs = to_score(logits).where(is_finite_V1, math.nan).numpy()
    return score_VK


def _keep(logits_VK: Outputs) -> Outputs:
    return logits_VK


def _collect_targets(
    config: ModelConfig, views: EvalViews, items: Sequence[ItemOutput]
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Return the labels (V,) or targets (V, K) of the videos."""
    videos = [views.videos[item.number] for item in items]
    if config.task == "single-label":
        return np.array([video.label for video in videos], dtype=np.int64)
    targets = [video.target for video in videos]
    return np.array(targets, dtype=np.float64).reshape(len(videos), -1)

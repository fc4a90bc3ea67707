"""Compute class probabilities for the videos of a split, each from the mean over its views.

The logits of each view become probabilities, and the probabilities of all views of a video are
averaged (the rule of VideoMAE since August 2022, and of every other published protocol).

Shapes: V views or videos, K classes.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.runtime import Runtime
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import ItemOutput, PartStore
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.evaluate.scores import Scores


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
    manifest: Manifest,
    split: str,
    views: EvalViews,
    *,
    runtime: Runtime,
    report: Report,
    store: PartStore | None = None,
    keep_views: bool = False,
) -> Scores:
    """Run a classifier on a split; each process scores its share, and all return all scores.

    Args:
        classifier: Returns logits_VK for views.
        manifest: The data.
        split: The videos of which are scored.
        views: Their test views.
        runtime: Device and processes.
        report: Shows the progress.
        store: Where finished parts are kept.
        keep_views: Whether to return the logits of every view as well.

    Raises:
        Stopped: A signal asked any process to stop.
    """
    classifier.eval()
    summarize = _keep if keep_views else average_probabilities
    run = Run(views, summarize, f"evaluating {split}", store)
    with explain_worker_death():
        items = list(run_views(classifier, run, runtime=runtime, report=report))
    return _merge(manifest, split, runtime.gather(items), keep_views=keep_views)


def view_probabilities(logits_VK: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probability_VK of views, NaN for a view with logits that are not finite."""
    logits = torch.from_numpy(logits_VK)
    is_finite_V1 = logits.isfinite().all(dim=-1, keepdim=True)
    probability_VK: NDArray[np.float32] = (
        logits.softmax(dim=-1).where(is_finite_V1, math.nan).numpy()
    )
    return probability_VK


def average_probabilities(logits_VK: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of a video (K,): the mean over its views."""
    mean_K: NDArray[np.float32] = view_probabilities(logits_VK).mean(axis=0)
    return mean_K


def _keep(logits_VK: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits_VK


def _merge(
    manifest: Manifest, split: str, items: Sequence[ItemOutput], *, keep_views: bool
) -> Scores:
    """Sort the results of all processes by the number of the video."""
    videos, items = manifest.split(split), sorted(items, key=lambda item: item.number)
    good = [item for item in items if not item.error]
    outputs = [average_probabilities(i.output) if keep_views else i.output for i in good]
    return Scores(
        np.array([item.number for item in good], dtype=np.int64),
        np.array([videos[item.number].label for item in good], dtype=np.int64),
        np.array(outputs, dtype=np.float32),
        tuple(item.error for item in items if item.error),
        tuple(item.output for item in good) if keep_views else None,
    )

"""Compute class probabilities for the videos of a split, each from the mean over its views.

Shapes: V views or videos, C channels, T frames, H W pixels, K classes.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from videomae_cli.config.clip import ClipSpec
from videomae_cli.data.eval_views import EvalViews, VideoViews
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.scores import EvalProtocol, Scores

VIEWS_AT_ONCE = 16


def score_videos(
    classifier: nn.Module,
    manifest: Manifest,
    split: str,
    clip: ClipSpec,
    protocol: EvalProtocol,
    *,
    runtime: Runtime,
    report: Report,
) -> Scores:
    """Run a classifier on a split; each process scores its share, and all return all scores.

    If a signal asked any process to stop, all raise `Stopped`.
    """
    views = _make_views(manifest, split, clip, protocol)
    share = range(runtime.rank, len(manifest.split(split)), runtime.world)
    rows: list[tuple[int, list[float]]] = []
    failed: list[tuple[int, str]] = []
    classifier.eval()
    report.start(f"evaluating {split}", total=len(share), unit="video")
    with explain_worker_death(), suppress(Interrupted), runtime.signals.interruptible():
        for items in _read_groups(views, share, protocol, runtime.worker_count("auto")):
            failed += [(item.number, item.error) for item in items if item.error]
            good = [item for item in items if not item.error]
            rows += _mean_probabilities(classifier, good, protocol, runtime)
            report.advance(len(items))
    report.finish()
    if number := runtime.stop_signal():
        raise Stopped(
            f"evaluation of {split} stopped before its end",
            "nothing was written; run it again",
            exit_code=exit_code(number),
        )
    return _merge(manifest, split, runtime.gather(rows), runtime.gather(failed))


def _merge(
    manifest: Manifest,
    split: str,
    rows: Sequence[tuple[int, list[float]]],
    failed: Sequence[tuple[int, str]],
) -> Scores:
    """Sort the results of all processes by the number of the video."""
    videos, rows = manifest.split(split), sorted(rows)
    indices = np.array([index for index, _ in rows], dtype=np.int64)
    return Scores(
        indices,
        np.array([videos[index].label for index in indices], dtype=np.int64),
        np.array([probability_K for _, probability_K in rows], dtype=np.float32),
        tuple(message for _, message in sorted(failed)),
    )


def _make_views(
    manifest: Manifest, split: str, clip: ClipSpec, protocol: EvalProtocol
) -> EvalViews:
    return EvalViews(
        manifest.split(split),
        manifest.root,
        clip.candidates(),
        clips=protocol.clips,
        crops=protocol.crops,
        size=clip.size,
        times=manifest.times,
    )


def _read_groups(
    views: EvalViews, numbers: Sequence[int], protocol: EvalProtocol, workers: int
) -> Iterator[list[VideoViews]]:
    """Read the videos and yield them in groups of about `VIEWS_AT_ONCE` views."""
    size = max(1, VIEWS_AT_ONCE // protocol.views)
    items = load_each(views, numbers, workers=workers)
    while group := list(islice(items, size)):
        yield group


def _mean_probabilities(
    classifier: nn.Module, items: Sequence[VideoViews], protocol: EvalProtocol, runtime: Runtime
) -> list[tuple[int, list[float]]]:
    """Return for each video its number and its K probabilities, averaged over the views."""
    if not items:
        return []
    views_VCTHW = torch.cat([item.views for item in items])
    probability_VK = _view_probabilities(classifier, views_VCTHW, runtime)
    means = probability_VK.reshape(len(items), protocol.views, -1).mean(axis=1).tolist()
    return list(zip([item.number for item in items], means, strict=True))


@torch.inference_mode()
def _view_probabilities(
    classifier: nn.Module, views_VCTHW: Tensor, runtime: Runtime
) -> NDArray[np.float32]:
    """Return probability_VK of the views, NaN for a view with logits that are not finite.

    They are computed in parts of `VIEWS_AT_ONCE` views.
    """
    parts = []
    for first in range(0, len(views_VCTHW), VIEWS_AT_ONCE):
        part_VCTHW = views_VCTHW[first : first + VIEWS_AT_ONCE]
        with runtime.accelerator.autocast():
            logits_VK = classifier(part_VCTHW.to(runtime.device, non_blocking=True))
        logits_VK = logits_VK.float()
        is_finite_V1 = logits_VK.isfinite().all(dim=-1, keepdim=True)
        parts.append(logits_VK.softmax(dim=-1).where(is_finite_V1, math.nan).cpu())
    return torch.cat(parts).numpy()

"""`videomae eval`: multi-view top-1 and top-5 of a classifier, every video decoded once.

Each view's logits become probabilities, the views' probabilities are averaged, and the video gets
the likeliest class (VideoMAE's protocol since August 2022). No video is ever replaced by another:
one that cannot be decoded is counted and named.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.data.eval_views import EvalViews, VideoViews
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine import environment
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.runtime import Precision, Runtime
from videomae_cli.errors import DataError, Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.scores import Protocol, Result, Scores
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint

VIEWS_AT_ONCE = 16


def run(
    checkpoint: Path,
    report: Report,
    *,
    data: Path | None = None,
    split: str | None = None,
    clips: int | None = None,
    crops: int | None = None,
    out: Path | None = None,
    precision: Precision | Literal["auto"] = "auto",
) -> Result:
    """Evaluate a classifier; write `result.json` and `scores.npz`.

    Args:
        checkpoint: Run, directory or file of weights.
        report: Who is told.
        data: Prepared data; the training data's by default.
        split: `test` where there is one, else `val`, by default.
        clips: Clips per video; the card's by default.
        crops: Crops per clip; the card's by default.
        out: Where to write; beside the weights by default.
        precision: Of the forward pass.

    Raises:
        CheckpointError: Not a classifier, or damaged.
        DataError: No such data or split, other classes, or not one video could be decoded.
    """
    loaded = read_checkpoint(checkpoint)
    config = loaded.config
    classifier = load_classifier(loaded)
    manifest, split = _videos(config, data, split, report)
    trained_for = config.protocol_or_default
    protocol = Protocol(clips or trained_for.clips, crops or trained_for.crops)
    with Runtime(precision) as runtime:
        classifier.to(runtime.device)
        report.say(f"evaluating {checkpoint} on {split} of {data or config.data}")
        report.say(f"{protocol} of {config.grid.frames} frames per video; {runtime.summary()}")
        scores = score(
            classifier, manifest, split, config.clip(), protocol, runtime=runtime, report=report
        )
    if not len(scores.labels):
        raise DataError(
            f"none of {len(scores.undecodable):,} videos could be decoded: {scores.undecodable[0]}",
            "are the videos where they were prepared?",
        )
    beside = loaded.file.parent.parent if loaded.file.parent.name == "final" else loaded.file.parent
    folder = out or beside / "eval" / f"{split}-{protocol.clips}x{protocol.crops}"
    result = Result(
        scores.metrics(), protocol, split, len(scores.labels), scores.undecodable, folder
    )
    if runtime.is_main:
        _write(result, scores, manifest, str(loaded.file), runtime.precision)
    for message in scores.undecodable:
        report.warn(message)
    report.say(result.headline())
    report.say(f"wrote {folder}")
    return result


def score(
    classifier: nn.Module,
    manifest: Manifest,
    split: str,
    clip: ClipSpec,
    protocol: Protocol,
    *,
    runtime: Runtime,
    report: Report,
) -> Scores:
    """Run a classifier over a split, every process over its share; all return all scores.

    Raises:
        Stopped: A signal asked any process to stop; all raise it.
    """
    videos = manifest.split(split)
    views = EvalViews(
        videos,
        manifest.root,
        clip.candidates(),
        clips=protocol.clips,
        crops=protocol.crops,
        size=clip.size,
    )
    mine = range(runtime.rank, len(videos), runtime.world)
    rows: list[tuple[int, list[float]]] = []
    failed: list[tuple[int, str]] = []
    classifier.eval()
    report.start(f"evaluating {split}", total=len(mine), unit="video")
    with explain_worker_death(), suppress(Interrupted), runtime.signals.interruptible():
        for items in _handfuls(views, mine, protocol, runtime.worker_count("auto")):
            good = [item for item in items if not item.error]
            failed += [(item.number, item.error) for item in items if item.error]
            if good:
                together = torch.cat([item.views for item in good])
                each = _probabilities(classifier, together, runtime).reshape(
                    len(good), protocol.views, -1
                )
                means = each.mean(axis=1).tolist()
                rows += zip([item.number for item in good], means, strict=True)
            report.advance(len(items))
    report.finish()
    if number := runtime.stop_signal():
        raise Stopped(
            f"evaluation of {split} stopped before it was done",
            "nothing was written; run it again",
            exit_code=exit_code(number),
        )
    rows, failed = sorted(runtime.gather(rows)), sorted(runtime.gather(failed))
    indices = np.array([index for index, _ in rows], dtype=np.int64)
    return Scores(
        indices,
        np.array([videos[index].label for index in indices], dtype=np.int64),
        np.array([probability_K for _, probability_K in rows], dtype=np.float32),
        tuple(message for _, message in failed),
    )


def _handfuls(
    views: EvalViews, numbers: Sequence[int], protocol: Protocol, workers: int
) -> Iterator[list[VideoViews]]:
    """Yield the videos in groups of about `VIEWS_AT_ONCE` views."""
    size = max(1, VIEWS_AT_ONCE // protocol.views)
    items = load_each(views, numbers, workers=workers)
    while group := list(islice(items, size)):
        yield group


@torch.inference_mode()
def _probabilities(
    classifier: nn.Module, views_VCTHW: Tensor, runtime: Runtime
) -> NDArray[np.float32]:
    """Return probabilities of each view, a few views at a time."""
    parts = []
    for first in range(0, len(views_VCTHW), VIEWS_AT_ONCE):
        some_VCTHW = views_VCTHW[first : first + VIEWS_AT_ONCE]
        with runtime.accelerator.autocast():
            logits_VK = classifier(some_VCTHW.to(runtime.device, non_blocking=True))
        parts.append(logits_VK.float().softmax(dim=-1).cpu())
    return torch.cat(parts).numpy()


def _videos(
    config: ModelConfig, data: Path | None, split: str | None, report: Report
) -> tuple[Manifest, str]:
    """Return the manifest to evaluate on, and which of its splits.

    Weights from elsewhere may number their classes; then the data's order is taken for theirs.

    Raises:
        DataError: None given, no such split, no labels, or other classes than the card's.
    """
    folder = data or (Path(config.data) if config.data else None)
    if folder is None:
        raise DataError("the checkpoint does not say what data it belongs to", "give --data DIR")
    manifest = read_manifest(folder)
    if split is None:
        split = "test" if manifest.split("test") else "val"
    if not manifest.split(split):
        held = sorted({video.split for video in manifest.videos})
        raise DataError(f"{folder}: no {split} videos", f"--split takes {', '.join(held)} here")
    if any(video.label is None for video in manifest.split(split)):
        raise DataError(f"{folder}: {split} videos without a label", "prepare a labelled list")
    found, expected = manifest.classes or (), config.classes or ()
    is_numbered = expected == tuple(map(str, range(len(found))))
    if is_numbered and found != expected:
        report.warn(
            f"the checkpoint numbers its {len(found)} classes: taken to be those of {folder},"
            " in that order"
        )
    elif found != expected:
        raise DataError(
            f"{folder}: its classes are not the checkpoint's: {_first_difference(found, expected)}",
            "evaluate on data prepared with the same class list, in the same order",
        )
    return manifest, split


def _first_difference(found: Sequence[str], expected: Sequence[str]) -> str:
    if len(found) != len(expected):
        return f"{len(found)} against {len(expected)}"
    label = next(
        k for k, pair in enumerate(zip(found, expected, strict=True)) if len(set(pair)) > 1
    )
    return f"label {label} is '{found[label]}' against '{expected[label]}'"


def _write(
    result: Result, scores: Scores, manifest: Manifest, weights: str, precision: str
) -> None:
    videos = manifest.split(result.split)
    result.folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        result.folder / "scores.npz",
        index=scores.indices,
        path=np.array([videos[index].path for index in scores.indices]),
        label=scores.labels,
        probability=scores.probabilities,
        classes=np.array(manifest.classes),
    )
    about = {
        **result.as_json(),
        "weights": weights,
        "data": manifest.digest,
        "precision": precision,
        "software": environment.software(),
    }
    (result.folder / "result.json").write_text(json.dumps(about, indent=1) + "\n")

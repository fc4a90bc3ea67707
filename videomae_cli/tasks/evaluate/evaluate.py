"""`videomae eval`: multi-view top-1 and top-5 accuracy of a classifier; decodes each video once.

The logits of each view become probabilities, the probabilities of all views of a video are
averaged, and the most probable class is the prediction (VideoMAE's protocol since August 2022). No
video is ever replaced by another: videos that cannot be decoded are counted and named.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from videomae_cli import atomic
from videomae_cli.checkpoints.class_names import describe_difference, match_classes
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.engine import environment
from videomae_cli.engine.runtime import Precision, Runtime
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.scores import EvalProtocol, EvalResult, Scores
from videomae_cli.tasks.evaluate.scoring import score_videos
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint


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
) -> EvalResult:
    """Evaluate a classifier; write `result.json` and `scores.npz`.

    Defaults: the data of the training run, its split `test` if it has labels, else `val`, clips and
    crops of the model configuration, and an output directory beside the weights.

    Raises:
        CheckpointError: The weights are no classifier, damaged, or give no finite output.
        DataError: There is no such dataset or split, its classes differ, or no video is decodable.
    """
    loaded = read_checkpoint(checkpoint)
    config, classifier = loaded.config, load_classifier(loaded)
    manifest, split = _select_videos(config, data, split, report)
    default = config.protocol_or_default
    protocol = EvalProtocol(clips or default.clips, crops or default.crops)
    report.say(f"evaluating {checkpoint} on {split} of {data or config.data}")
    with Runtime(precision) as runtime:
        classifier.to(runtime.device)
        report.say(f"{protocol} of {config.grid.frames} frames per video; {runtime.summary()}")
        scores = score_videos(
            classifier, manifest, split, config.clip(), protocol, runtime=runtime, report=report
        )
    result = _summarize(scores, manifest, split, protocol, out, loaded.file)
    if runtime.is_main:
        _write(result, scores, manifest, str(loaded.file), runtime.precision)
    for message in (*result.undecodable, *result.describe_nonfinite()):
        report.warn(message)
    report.say(result.headline())
    report.say(f"wrote {result.folder}")
    return result


def _default_dir(weights: Path, split: str, protocol: EvalProtocol) -> Path:
    """Return a folder in the run directory, or beside weights that belong to no run."""
    folder = weights.parent.parent if weights.parent.name == "final" else weights.parent
    return folder / "eval" / f"{split}-{protocol.clips}x{protocol.crops}"


def _summarize(
    scores: Scores,
    manifest: Manifest,
    split: str,
    protocol: EvalProtocol,
    out: Path | None,
    weights: Path,
) -> EvalResult:
    """Compute the metrics; an error names the weights."""
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        raise CheckpointError(f"{weights}: {error.message}", error.hint) from error
    videos = manifest.split(split)
    nonfinite = tuple(videos[index].path for index in scores.nonfinite)
    folder, count = out or _default_dir(weights, split, protocol), len(scores.labels)
    return EvalResult(metrics, protocol, split, count, scores.undecodable, folder, nonfinite)


def _select_videos(
    config: ModelConfig, data: Path | None, split: str | None, report: Report
) -> tuple[Manifest, str]:
    """Return the data under the labels of the checkpoint, and the split of it to evaluate."""
    folder = data or (Path(config.data) if config.data else None)
    if folder is None:
        raise DataError("the checkpoint does not record its dataset", "give --data DIR")
    manifest = read_manifest(folder)
    if config.clip().step_seconds is not None:
        manifest = with_times(manifest)
    if split is None:
        is_labelled = all(video.label is not None for video in manifest.split("test"))
        split = "test" if manifest.split("test") and is_labelled else "val"
    if not manifest.split(split):
        splits = sorted({video.split for video in manifest.videos})
        raise DataError(f"{folder}: no {split} videos", f"use --split with {' or '.join(splits)}")
    report_short_videos(config.clip(), manifest, [split], report, is_training=False)
    if any(video.label is None for video in manifest.split(split)):
        raise DataError(f"{folder}: {split} videos without a label", "prepare a labelled list")
    return _relabel(config, manifest, folder, report), split


def _relabel(config: ModelConfig, manifest: Manifest, folder: Path, report: Report) -> Manifest:
    """Return the data with the labels of the checkpoint, matched by the names of the classes."""
    classes, known = manifest.classes or (), config.classes or ()
    match = match_classes(classes, known)
    if match is None:
        raise DataError(
            f"{folder}: its classes are not those of the checkpoint;"
            f" {describe_difference(classes, known)}",
            "evaluate on data prepared with the class names that the model was trained on",
        )
    if match.note:
        (report.warn if match.is_assumed else report.say)(match.note)
    names = list(known)
    for name, place in zip(classes, match.places, strict=True):
        names[place] = name
    videos = tuple(
        video if video.label is None else video._replace(label=match.places[video.label])
        for video in manifest.videos
    )
    return manifest._replace(videos=videos, classes=tuple(names))


def _write(
    result: EvalResult, scores: Scores, manifest: Manifest, weights: str, precision: str
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
    content = {
        **result.as_json(),
        "weights": weights,
        "data": manifest.digest,
        "precision": precision,
        "software": environment.software(),
    }
    atomic.write_json(result.folder / "result.json", content)

"""`videomae eval` with baselines beside the result, or a label curve of frozen features."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.checkpoints.reading.locate import locate_weights
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.data.time_sampling import with_times
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import UsageError
from videomae_cli.models.features import Pooling
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.evaluate.data import open_data
from videomae_cli.tasks.evaluate.html.page import Baseline as PageBaseline
from videomae_cli.tasks.evaluate.metrics.intervals import Interval
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.evaluate.output import Extras, Sections
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.features.encoder import LoadedEncoder, build_random_encoder, load_encoder
from videomae_cli.tasks.features.extract import CACHE, extract_features, make_options
from videomae_cli.tasks.probe.baseline_report import BaselineReport
from videomae_cli.tasks.probe.curve import PROBES, LabelCurve
from videomae_cli.tasks.probe.probe import collect_labelled, run_baselines, run_label_curve
from videomae_cli.tasks.probe.samples import FeatureTable, ModelOutput, Target
from videomae_cli.tasks.probe.sources import read_sources
from videomae_cli.tasks.probe.subsets import parse_fractions

SCRATCH, CURVE = "scratch", "label-curve"


class CurveOptions(NamedTuple):
    """The options of a label curve."""

    fractions: str
    """Percentages of the training labels, such as `1,5,10,50,100`."""
    against: str = SCRATCH
    """A checkpoint; `scratch`: the same encoder with random weights."""
    probes: tuple[str, ...] = ("linear", "knn")
    group_column: str | None = None
    """Column that names the source of each video."""


def evaluate_with_baselines(
    checkpoint: Path, report: Report, options: EvalOptions, group_column: str | None
) -> EvalResult:
    """Evaluate a classifier, and measure shortcuts on the same videos.

    Raises what `evaluate.run`, `collect_labelled` and `run_baselines` raise.
    """

    def measure(scores: Scores, manifest: Manifest, folder: Path, split: str) -> Sections:
        data = collect_labelled(manifest, split, group_column)
        videos = manifest.split(split)
        paths = [videos[index].name for index in scores.indices]
        output = make_output(scores, paths)
        result = run_baselines(data, folder, report, model=output)
        return Sections(_list_baselines(result), result.folds)

    def read_groups(manifest: Manifest, split: str) -> NDArray[Any] | None:
        if group_column is None:
            return None
        return read_sources(manifest, manifest.split(split), group_column)

    return evaluate.run(checkpoint, report, options, Extras(measure, read_groups))


def make_output(scores: Scores, paths: Sequence[str]) -> ModelOutput:
    """Return the outputs of a model for `run_baselines`, all of them finite.

    A video without finite outputs counts as in the result: wrong, or last of all in each class; in
    a regression it is left out.
    """
    is_bad_V, output_VK = ~scores.is_finite, scores.output_VK.copy()
    if scores.task == "regression":
        kept = np.flatnonzero(scores.is_finite).tolist()
        return ModelOutput([paths[row] for row in kept], output_VK[kept])
    output_VK[is_bad_V] = 0.0 if scores.task == "single-label" else -1.0
    if scores.task == "single-label":
        wrong_V = (scores.target[is_bad_V] + 1) % output_VK.shape[1]
        output_VK[np.flatnonzero(is_bad_V), wrong_V] = np.finfo(np.float32).tiny
    return ModelOutput(paths, output_VK)


def _list_baselines(result: BaselineReport) -> list[PageBaseline]:
    """Return the baselines for the page: on the split, else cross-validated."""
    rows = []
    for score in result.scores:
        measure = score.on_split or score.cross_validated
        if measure is not None:
            value, low, high = measure.interval[:3]
            note = f"on {result.split}" if score.on_split else result.folds
            rows.append(PageBaseline(score.name, value, Interval(low, high), note))
    return rows


def measure_label_curve(
    checkpoint: Path, report: Report, options: EvalOptions, curve: CurveOptions
) -> LabelCurve:
    """Fit probes to frozen features of two encoders, with more and more labels.

    Each video is one view, its middle, unless the options give more.

    Raises:
        UsageError: A percentage or the name of a probe is wrong, or the split is train.
        CheckpointError: A checkpoint cannot be used.
        DataError: There are no labelled videos, or a split has none.
        Stopped: A signal asked to stop; finished features are kept.
    """
    fractions = parse_fractions(curve.fractions)
    if unknown := [name for name in curve.probes if name not in PROBES]:
        raise UsageError(f"unknown probe {unknown[0]!r}", f"one of {', '.join(PROBES)}")
    first = load_encoder(str(checkpoint))
    second = _load_second(first, curve.against)
    manifest = _open_labelled(first.config, options, report)
    split = options.split or ("test" if manifest.split("test") else "val")
    out = options.out or evaluate.default_dir(locate_weights(checkpoint).file, CURVE)
    arguments: dict[str, Any] = {"fractions": fractions, "split": split, "probes": curve.probes}
    with Runtime(options.precision) as runtime:
        tables = [
            _make_table(encoder, manifest, split, options, curve, runtime, report)
            for encoder in (first, second)
        ]
        return runtime.run_on_rank0(
            lambda: run_label_curve(tables[0], tables[1], out, report, **arguments)
        )


def _load_second(first: LoadedEncoder, against: str) -> LoadedEncoder:
    """Return the encoder to compare with: a checkpoint, or the same one with random weights."""
    if against == SCRATCH:
        return build_random_encoder(first.config, name=SCRATCH)
    return load_encoder(against)


def _open_labelled(config: ModelConfig, options: EvalOptions, report: Report) -> Manifest:
    if config.kind == "classifier":
        report.warn(
            "the checkpoint is a classifier: its features have seen all the labels that it was"
            " trained with; to see what pretraining gives, use the pretrained checkpoint"
        )
    manifest, _ = open_data(config, options, report)
    if config.clip().step_seconds is not None:
        manifest = with_times(manifest)
    labelled = tuple(video for video in manifest.videos if video.is_labelled)
    return manifest._replace(videos=labelled)


def _make_table(
    encoder: LoadedEncoder,
    manifest: Manifest,
    split: str,
    options: EvalOptions,
    curve: CurveOptions,
    runtime: Runtime,
    report: Report,
) -> FeatureTable:
    """Return the features of the training videos and of those to measure on."""
    assert manifest.folder is not None
    pooling: Pooling = "per-slice" if "attentive" in curve.probes else "mean"
    features = extract_features(
        encoder,
        manifest,
        ("train", split),
        manifest.folder / CACHE,
        runtime=runtime,
        report=report,
        options=make_options(pooling, clips=options.clips or 1, crops=options.crops or 1),
    )
    by_path = {video.name: video for video in manifest.videos}
    videos = [by_path[path] for path in features.paths]
    return FeatureTable(
        encoder.name,
        features.paths,
        features.split,
        _make_target(manifest, videos, curve.group_column),
        features.feature,
        features.digest,
    )


def _make_target(manifest: Manifest, videos: Sequence[Video], group_column: str | None) -> Target:
    if manifest.task == "single-label":
        value = np.array([video.label for video in videos], dtype=np.int64)
    else:
        value = np.array([video.target for video in videos], dtype=np.float64)
    group_V = None if group_column is None else read_sources(manifest, videos, group_column)
    return Target(manifest.task, value, len(manifest.classes or ()), group_V)

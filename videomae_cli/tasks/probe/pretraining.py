"""Probes of a pretraining run: what its features are worth, beside its loss.

A kNN or a linear model is fitted to the features of labelled training videos and measured on
validation videos: one clip from the middle of each, the centre crop, no token masked, the mean over
the tokens. These are the features and the models of `videomae features` and of label curves.
Nothing of the training changes: no weight, and no random stream that training draws from.

Shapes: V videos, K classes or values, D embedding dimension.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.schema import PretrainEvalSpec
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.distributed.fsdp import gather_weights
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.features import FeatureModel
from videomae_cli.report import Report, Silence
from videomae_cli.tasks.evaluate.data_list import is_prepared, open_list
from videomae_cli.tasks.evaluate.parts import ItemOutput
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.features.rows import Items
from videomae_cli.tasks.probe.baselines import answer_constant
from videomae_cli.tasks.probe.curve import PROBES
from videomae_cli.tasks.probe.measures import KEYS, NAMES, make_metric
from videomae_cli.tasks.probe.probe import collect_labelled
from videomae_cli.tasks.probe.samples import Floats, LabelledVideos, Target
from videomae_cli.tasks.probe.subsets import ALL, draw_subset

TRAIN, VAL = "train", "val"
SEED = 0  # the same videos in every run, so that runs can be compared
VIEWS = Protocol(clips=1, crops=1)
MAX_NAMED = 8
KEY = "eval.probe_data"
PREPARE = "videomae prepare CLASS_FOLDERS_OR_LIST --val-fraction 0.2 --out DIR"
MODELS: dict[str, str] = {"knn": "kNN", "linear": "linear"}


def open_labelled(spec: PretrainEvalSpec, clip: ClipSpec, report: Report) -> LabelledVideos:
    """Return the labelled videos of train and val, at most about `spec.probe_videos` of each.

    Args:
        spec: The recipe's section, with probes and their data.
        clip: How clips are sampled.
        report: Receives what the videos are, what happens to short ones, and the best constant
            answer.

    Raises:
        DataError: There are no such data, no labels, no training or no validation videos, only one
            class, or `clip.short` refuses a video.
    """
    assert spec.probe_data is not None
    place = spec.probe_data
    data = collect_labelled(_read(place, clip, report), VAL)
    parts = []
    for split in (TRAIN, VAL):
        index_V = data.rows(split)
        if not len(index_V):
            raise DataError(
                f"{KEY}: {place} has no {split} videos with labels",
                f"probes are fitted to train and measured on val: {PREPARE}",
            )
        percent = min(ALL, 100 * spec.probe_videos / len(index_V))
        parts.append(index_V[draw_subset(data.target.take(index_V), percent, SEED)])
    data = data.take(np.concatenate(parts))
    if problem := _find_problem(data, data.rows(TRAIN), data.rows(VAL)):
        raise DataError(f"{KEY}: {place}: {problem}", "choose other videos, or correct the labels")
    chosen = data.manifest._replace(videos=tuple(data.videos))
    report_short_videos(clip, chosen, [TRAIN, VAL], report, is_training=False)
    report.say(_describe(spec, data))
    return data._replace(manifest=chosen)


class FeatureProbe:
    """Probes the features of the model that is being trained; called with the step.

    Args:
        model: It may be sharded; afterwards it is in the mode (training, evaluation) of before.
        clip: How clips are sampled.
        data: See `open_labelled`.
        kind: The model that is fitted.
        runtime: Device and processes: each process encodes a share, rank 0 fits.
        report: Receives the result of each probe, and which videos could not be decoded.
    """

    def __init__(
        self,
        model: Autoencoder,
        clip: ClipSpec,
        data: LabelledVideos,
        *,
        kind: Literal["knn", "linear"],
        runtime: Runtime,
        report: Report,
    ) -> None:
        self.data = data
        self._model, self._kind, self._runtime, self._report = model, kind, runtime, report
        self._views = EvalViews(
            *(data.videos, data.manifest.root, VIEWS.apply(clip).candidates(), VIEWS),
            times=data.manifest.times,
        )

    def __call__(self, step: int) -> dict[str, float]:
        """Return `top1` (`map`, `r2`), `constant`, `train_videos` and `val_videos`.

        `constant` is the same measure of the best constant answer. Called by all processes.
        Nothing is returned, with a warning, where the videos that are left are too few: a run does
        not end because of its probes once it has started.

        Raises:
            DataError: The same at step 0, before the training.
            Stopped: A signal asked any process to stop.
        """
        began = time.perf_counter()
        items = self._encode()
        return self._runtime.run_on_rank0(lambda: self._measure(items, step, began))

    def _encode(self) -> list[ItemOutput]:
        """Return the feature_D of each video, or why it could not be decoded, on all processes."""
        model, runtime = self._model, self._runtime
        is_training = model.training
        run = Run(self._views, Items(self._views, "video").summarize, "probing features")
        try:
            with gather_weights(model), explain_worker_death():
                features = FeatureModel(model)  # in evaluation mode
                items = list(run_views(features, run, runtime=runtime, report=Silence()))
        finally:
            model.train(is_training)
        items = [item._replace(output=item.output.reshape(-1)) for item in items]  # (1, D) -> (D,)
        return sorted(runtime.gather(items), key=lambda item: item.number)

    def _measure(self, items: Sequence[ItemOutput], step: int, began: float) -> dict[str, float]:
        """Fit and measure the probe; on rank 0."""
        bad = [item for item in items if item.error]
        if bad:
            first = "; ".join(item.error for item in bad[:MAX_NAMED])
            self._report.warn(f"probe: {len(bad):,} of {len(items):,} videos left out: {first}")
        good = [item for item in items if not item.error]
        data = self.data.take(np.array([item.number for item in good], dtype=np.int64))
        train, val = data.rows(TRAIN), data.rows(VAL)
        if problem := _find_problem(data, train, val):
            if not step:
                hint = "check that the videos are still where they were prepared"
                raise DataError(f"{KEY}: {problem}", hint)
            self._report.warn(f"step {step:,}: no probe: {problem}")
            return {}
        feature_VD = np.stack([item.output for item in good])
        value = self._fit(feature_VD, data.target, train, val, step)
        constant = measure_constant(data.target.take(val))
        task = data.target.task
        took = time.perf_counter() - began
        shown = f"{value:.3f}" if task == "regression" else f"{100 * value:.1f} %"
        self._report.say(
            f"step {step:,}: {MODELS[self._kind]} probe: {NAMES[task]} {shown}"
            f" ({len(train):,} train, {len(val):,} val videos, {took:.1f} s)"
        )
        counts = {"train_videos": len(train), "val_videos": len(val)}
        return {KEYS[task]: value, "constant": constant, **counts}

    def _fit(
        self, feature_VD: Floats, target: Target, train: np.ndarray, val: np.ndarray, step: int
    ) -> float:
        """Return the measure on the validation videos; NaN if a feature is not finite."""
        if not np.isfinite(feature_VD).all():
            self._report.warn(f"step {step:,}: probe: features are not finite")
            return float("nan")
        fit_predict = PROBES[self._kind]
        output_VK = fit_predict(feature_VD[train], target.take(train), feature_VD[val], seed=SEED)
        return make_metric(target.take(val), output_VK)(np.ones(len(val)))


def _read(place: Path, clip: ClipSpec, report: Report) -> Manifest:
    """Read prepared data or a list; a DataError without labels."""
    if not place.exists():
        raise DataError(
            f"{KEY}: {place} does not exist",
            f"prepare labelled videos: {PREPARE}",
        )
    manifest = read_manifest(place) if is_prepared(place) else open_list(place, report).manifest
    if manifest.classes is None or not any(video.is_labelled for video in manifest.videos):
        raise DataError(f"{KEY}: {place} has no labels", f"prepare labelled videos: {PREPARE}")
    return manifest if clip.step_seconds is None else with_times(manifest)


def _find_problem(data: LabelledVideos, train: np.ndarray, val: np.ndarray) -> str:
    """Return why these videos cannot be used, or ""."""
    for split, index_V in ((TRAIN, train), (VAL, val)):
        if not len(index_V):
            return f"none of the {split} videos can be read"
        target = data.target.take(index_V)
        if target.task == "single-label" and len(present := np.unique(target.labels)) < 2:
            name = (data.manifest.classes or ())[present[0]]
            return f"all {split} videos are of one class, {name!r}: there is nothing to tell apart"
    if np.isnan(measure_constant(data.target.take(val))):
        return f"the labels of the val videos do not differ, so {NAMES[target.task]} is undefined"
    return ""


def _describe(spec: PretrainEvalSpec, data: LabelledVideos) -> str:
    """Return what is probed how often, and what an answer without features reaches."""
    target = data.target.take(data.rows(VAL))
    count = spec.probe_every_epochs
    text = (
        f"a {MODELS[spec.probe_kind]} probe every {'epoch' if count == 1 else f'{count:g} epochs'}:"
        f" {len(data.rows(TRAIN)):,} train and {target.videos:,} val videos of {spec.probe_data}"
    )
    if target.task != "single-label":
        return text
    return f"{text}; the most frequent class is {100 * measure_constant(target):.1f} % of val"


def measure_constant(target: Target) -> float:
    """Return the measure of the best constant answer; NaN if it is not defined."""
    return make_metric(target, answer_constant(target))(np.ones(target.videos))

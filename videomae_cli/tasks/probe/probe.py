"""`videomae eval --baselines` and `--label-fractions`: can the number of a model be trusted?

The baselines show what shortcuts reach on the same data, without a model. The label curve shows
whether the features of a checkpoint are worth more than those of another, by the number of labels.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from videomae_cli import atomic
from videomae_cli.data.manifest import Manifest
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.probe.baseline_report import BaselineReport
from videomae_cli.tasks.probe.baselines import SEED, make_baselines, score_baseline
from videomae_cli.tasks.probe.curve import (
    DEFAULT_PROBES,
    SEEDS,
    LabelCurve,
    make_curve,
    measure_point,
)
from videomae_cli.tasks.probe.facts_cache import read_all_facts
from videomae_cli.tasks.probe.folds import make_folds
from videomae_cli.tasks.probe.measures import compare_outputs, measure_output
from videomae_cli.tasks.probe.samples import (
    FeatureTable,
    Index,
    LabelledVideos,
    ModelOutput,
    Target,
    align_tables,
)
from videomae_cli.tasks.probe.sources import find_leaks, read_sources
from videomae_cli.tasks.probe.video_facts import VideoFacts

BASELINES, CURVE, CURVE_PLOT = "baselines.json", "label_curve.json", "label_curve.png"


def collect_labelled(
    manifest: Manifest, split: str, group_column: str | None = None
) -> LabelledVideos:
    """Return the videos with a label, and their sources if `group_column` gives them.

    Raises:
        UsageError: There is no such column.
        DataError: There are no labelled videos, or the list of sources lacks one.
    """
    videos = tuple(video for video in manifest.videos if video.is_labelled)
    if not videos or manifest.classes is None:
        raise DataError(
            "no labelled videos", "baselines and label curves need labels: prepare a labelled list"
        )
    group_V = None if group_column is None else read_sources(manifest, videos, group_column)
    classes = len(manifest.classes)
    if manifest.task == "single-label":
        label_V = np.array([video.label for video in videos], dtype=np.int64)
        target = Target(manifest.task, label_V, classes, group_V)
    else:
        target_VK = np.array([video.target for video in videos], dtype=np.float64)
        target = Target(manifest.task, target_VK, classes, group_V)
    return LabelledVideos(manifest, videos, target, split)


def run_baselines(
    data: LabelledVideos,
    out: Path,
    report: Report,
    *,
    model: ModelOutput | None = None,
    random_features: FeatureTable | None = None,
    workers: int = 0,
) -> BaselineReport:
    """Measure the shortcut baselines and write `baselines.json` into the directory `out`.

    Args:
        data: The labelled videos of all splits, see `collect_labelled`.
        out: An output directory.
        report: Receives the table, the sentence and the warnings.
        model: What a model answers for videos of the split.
        random_features: Features of an encoder with random weights; see `make_baselines`.
        workers: Processes that decode.

    Raises:
        DataError: No video can be read, or there are too few.
    """
    facts = read_all_facts(data.manifest, data.videos, report, workers=workers)
    unreadable = tuple(each.error for each in facts if each.error)
    rows = _usable_rows(data, facts, random_features)
    data = data.take(rows)
    if random_features is not None:
        numbers = {path: row for row, path in enumerate(random_features.paths)}
        random_features = random_features.take([numbers[video.name] for video in data.videos])
    result = _score_all(data, [facts[row] for row in rows], random_features, model, report)
    leaks = find_leaks(data.manifest, data.videos, data.target.group_V, data.split)
    result = result._replace(warnings=tuple(leaks), unreadable=unreadable)
    atomic.write_json(out / BASELINES, result.as_json())
    for message in (*unreadable, *result.warnings):
        report.warn(message)
    report.table("shortcut baselines", result.columns(), result.rows())
    report.say(result.folds)
    report.say(result.sentence())
    return result


def _usable_rows(
    data: LabelledVideos, facts: Sequence[VideoFacts], random_features: FeatureTable | None
) -> Index:
    """Return the videos with facts, and with random features if they are given."""
    known = None if random_features is None else set(random_features.paths)
    rows = [
        number
        for number, (each, video) in enumerate(zip(facts, data.videos, strict=True))
        if not each.error and (known is None or video.name in known)
    ]
    if not rows:
        reasons = [each.error for each in facts if each.error]
        raise DataError(
            f"none of {len(facts):,} videos can be read: {(*reasons, 'no random features')[0]}",
            "check that the videos are still where they were prepared",
        )
    return np.array(rows, dtype=np.int64)


def _score_all(
    data: LabelledVideos,
    facts: Sequence[VideoFacts],
    random_features: FeatureTable | None,
    model: ModelOutput | None,
    report: Report,
) -> BaselineReport:
    """Score all baselines, and the model on the videos that both have."""
    test = data.rows(data.split)
    train = data.rows("train") if data.split != "train" else test[:0]
    baselines = make_baselines(facts, random_features)
    report.start("fitting baselines", total=len(baselines), unit="baseline")
    scores = []
    for baseline in baselines:
        scores.append(score_baseline(baseline, data.target, train, test))
        report.advance()
    report.finish()
    result = BaselineReport(data.target.task, data.split, tuple(scores), _describe_folds(data))
    if model is None:
        return result
    rows = {path: row for row, path in enumerate(model.paths)}
    both = [n for n, number in enumerate(test) if data.videos[number].name in rows]
    if not both or result.best.split_output is None:
        return result
    part = data.target.take(test[both])
    output_VK = model.output_VK[[rows[data.videos[number].name] for number in test[both]]]
    difference = compare_outputs(part, output_VK, result.best.split_output[both])
    return result._replace(model=measure_output(part, output_VK), difference=difference)


def _describe_folds(data: LabelledVideos) -> str:
    """Describe the cross-validation in one sentence."""
    count, videos = len(make_folds(data.target, SEED)), data.target.videos
    if count == 0:
        return f"no cross-validation: {videos:,} videos cannot be divided into two folds"
    if data.target.group_V is None:
        return f"cross-validated in {count} random folds over {videos:,} videos"
    sources = len(np.unique(data.target.group_V))
    return (
        f"cross-validated in {count} folds over {videos:,} videos of {sources:,} sources; no source"
        " is in two folds"
    )


def run_label_curve(
    first: FeatureTable,
    second: FeatureTable,
    out: Path,
    report: Report,
    *,
    fractions: Sequence[float],
    split: str = "val",
    probes: Sequence[str] = DEFAULT_PROBES,
    seeds: int = SEEDS,
) -> LabelCurve:
    """Fit the probes, and write `label_curve.json` and `label_curve.png` into the directory `out`.

    Args:
        first: Features of the checkpoint.
        second: Features of random weights, or of another checkpoint, to compare with.
        out: An output directory.
        report: Receives the table and the sentence.
        fractions: Percentages of the training labels, see `parse_fractions`.
        split: The split to measure on.
        probes: Keys of `PROBES`.
        seeds: Number of draws of the labels for each percentage.

    Raises:
        UsageError: The split is train.
        DataError: A split has no videos, features are not finite, or the tables have other videos.
    """
    first, second, remarks = align_tables(first, second)
    rows = _split_rows(first, split)
    report.start("fitting probes", total=len(probes) * len(fractions), unit="point")
    points = []
    for probe, percent in product(probes, fractions):
        points.append(measure_point(first, second, rows, probe, percent, seeds))
        report.advance()
    report.finish()
    curve = make_curve(first, second, split, points, remarks)
    _write_curve(curve, out)
    _report_curve(curve, report)
    return curve


def _split_rows(table: FeatureTable, split: str) -> tuple[Index, Index]:
    """Return the rows of train and of the split to measure on; a DataError if one has none."""
    if split == "train":
        raise UsageError(
            "a label curve cannot be measured on train, whose labels the probes see",
            "use --split val or test",
        )
    rows = {name: table.rows(name) for name in ("train", split)}
    for name, each in rows.items():
        if not len(each):
            raise DataError(
                f"no {name} videos with features", "a label curve needs train and another split"
            )
    return rows["train"], rows[split]


def _report_curve(curve: LabelCurve, report: Report) -> None:
    for remark in curve.remarks:
        report.warn(remark)
    report.table("label curve", curve.columns(), curve.rows())
    report.say(curve.sentence())


def _write_curve(curve: LabelCurve, out: Path) -> None:
    """Write the picture, and then the JSON document."""
    from videomae_cli.tasks.probe.curve_plot import plot_curve  # matplotlib is slow to import

    with atomic.replacing(out / CURVE_PLOT) as partial:
        plot_curve(curve, partial)
    atomic.write_json(out / CURVE, curve.as_json())

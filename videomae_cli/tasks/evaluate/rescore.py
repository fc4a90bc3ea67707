"""The metrics of scores that were written before, by whichever software.

Shapes: V videos, K classes or values.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videomae_cli import atomic
from videomae_cli.checkpoints.class_names import match_classes
from videomae_cli.config.model import Task
from videomae_cli.data.labels.class_files import read_classes
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.dumps.read_dump import read_dump
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable
from videomae_cli.tasks.evaluate.html.report import write_report
from videomae_cli.tasks.evaluate.output import REPORT, RESULT, make_page
from videomae_cli.tasks.evaluate.result import StoredResult
from videomae_cli.tasks.evaluate.scores import Scores

NEEDS_PROBABILITIES = ("loss", "ece")


class RescoreOptions(NamedTuple):
    """The options of `videomae eval --from`."""

    data: Path | None = None
    """Prepared data in the order of the scores, for a file without labels."""
    split: str | None = None
    label_map: Path | None = None
    out: Path | None = None
    """Directory for `result.json` and `report.html`; None: only print."""


def rescore(path: Path, report: Report, options: RescoreOptions) -> StoredResult:
    """Compute the metrics of stored scores.

    Args:
        path: MMAction2's pickle, a directory of VideoMAE's text files, or `scores.npz`.
        report: Receives the headline and what is remarkable about the file.
        options: Labels and names that the file lacks, and where to write.

    Raises:
        DataError: The file is none of them, is damaged, has no labels, or does not fit the data or
            the label map.
    """
    table = _add_labels(read_dump(path), path, options)
    scores = _to_scores(table, path, options.label_map)
    metrics = scores.metrics()
    if not table.is_probability and scores.task == "single-label":
        metrics = {
            name: value for name, value in metrics.items() if name not in NEEDS_PROBABILITIES
        }
        report.warn("the scores are no probabilities: no loss and no calibration error")
    for remark in table.remarks:
        report.warn(remark)
    result = StoredResult(
        str(path),
        metrics,
        scores.intervals(),
        len(scores.target),
        scores.task,
        len(table.unreadable),
        len(scores.nonfinite),
    )
    report.say(result.headline())
    if options.out is not None:
        names = table.names or [f"row {row + 1}" for row in range(len(scores.target))]
        page = make_page(result, scores, names, {"scores": str(path)})
        write_report(options.out / REPORT, page)
        atomic.write_json(options.out / RESULT, result.as_json())
        report.say(f"wrote {options.out}")
    return result


def _add_labels(table: ScoreTable, path: Path, options: RescoreOptions) -> ScoreTable:
    """Return the table with labels, from the data if the file has none."""
    if options.data is None:
        if table.label_V is None and table.target_VK is None:
            raise DataError(
                f"{path} contains scores without labels",
                "give the data that they were computed for, in the same order: --data DIR",
            )
        return table
    manifest = read_manifest(options.data)
    if manifest.task != "single-label":
        raise DataError(
            f"{options.data} was prepared for {manifest.task}; labels can be added to scores of a"
            " single label only",
            "give scores.npz, which contains the targets, without --data",
        )
    split = options.split or ("test" if manifest.split("test") else "val")
    labels = [video.label for video in manifest.split(split) if video.label is not None]
    return table.with_labels(labels, f"{options.data} ({split})")


def _to_scores(table: ScoreTable, path: Path, label_map: Path | None) -> Scores:
    count, classes = table.probability_VK.shape
    names = table.classes or tuple(str(number) for number in range(classes))
    if label_map is not None:
        names = read_classes(str(label_map)).names
        if len(names) != classes:
            raise DataError(
                f"{label_map} names {len(names)} classes, but {path} has scores of {classes}",
                "give the names of the classes that the scores were computed for",
            )
        _check_names(names, table.classes or names, path, label_map)
    task: Task = "single-label"
    target = table.label_V
    if target is None:
        assert table.target_VK is not None
        task = "regression" if table.is_regression else "multi-label"
        return Scores(np.arange(count), table.target_VK, table.probability_VK, (), task, names)
    return Scores(np.arange(count), target, table.probability_VK, (), task, names)


def _check_names(names: Sequence[str], own: Sequence[str], path: Path, label_map: Path) -> None:
    """Check that a label map names the classes of a file in their order; else a DataError."""
    match = match_classes(names, own)
    if match is None or not match.keeps_order:
        row = next(
            row for row, (name, known) in enumerate(zip(names, own, strict=True)) if name != known
        )
        raise DataError(
            f"{label_map} names class {row} {names[row]!r}, but {path} names it {own[row]!r}",
            "leave out --label-map: the file has the names of its classes",
        )

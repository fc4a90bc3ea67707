"""Summary of labels that are not one class per video: labels per class, or ranges of values."""

from collections.abc import Sequence

import numpy as np

from videomae_cli.data.manifest import SPLITS, Manifest, Video
from videomae_cli.report import Report

MAX_ROWS = 30  # classes or values in the printed table; JSON has all


def count_labels(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return the number of videos of each class, by split and class."""
    return {
        split: dict(zip(manifest.classes or (), map(int, np.sum(targets, axis=0)), strict=True))
        for split in SPLITS
        if (targets := _targets(manifest.split(split)))
    }


def describe_values(manifest: Manifest) -> dict[str, dict[str, dict[str, float]]]:
    """Return minimum, mean, maximum and standard deviation, by split and name of the value."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for split in SPLITS:
        targets = _targets(manifest.split(split))
        if targets:
            target_VK = np.array(targets)
            columns = (
                {"min": x_V.min(), "mean": x_V.mean(), "max": x_V.max(), "std": x_V.std()}
                for x_V in target_VK.T
            )
            figures[split] = {
                name: {key: float(value) for key, value in column.items()}
                for name, column in zip(manifest.classes or (), columns, strict=True)
            }
    return figures


def as_json(manifest: Manifest) -> dict[str, object]:
    """Return what a program learns of the labels; nothing for one class per video."""
    if manifest.task == "single-label":
        return {}
    if manifest.task == "multi-label":
        return {"task": manifest.task, "labels": count_labels(manifest)}
    return {"task": manifest.task, "values": describe_values(manifest)}


def show_labels(manifest: Manifest, report: Report) -> None:
    """Report the labels per class, or the range of each value, of each split."""
    if manifest.task == "multi-label":
        counts = count_labels(manifest)
        names = list(manifest.classes or ())
        rows = [[name, *(f"{counts[s][name]:,}" for s in counts)] for name in names[:MAX_ROWS]]
        report.table(_title("videos per class", names), ("class", *counts), rows)
        targets = _targets(manifest.videos)
        none = sum(not any(target) for target in targets)
        mean = sum(map(sum, targets)) / len(targets)
        report.say(f"task multi-label: {mean:.2f} classes per video; {none:,} without any class")
    elif manifest.task == "regression":
        figures = describe_values(manifest)
        names = list(manifest.classes or ())
        columns = ("min", "mean", "max", "std")
        rows = [
            [name, split, *(f"{figures[split][name][key]:.5g}" for key in columns)]
            for name in names[:MAX_ROWS]
            for split in figures
        ]
        report.table(_title("task regression: values", names), ("value", "split", *columns), rows)


def find_untrained_classes(manifest: Manifest) -> list[str]:
    """Return the names of the classes that no training video has."""
    train = manifest.split("train")
    if manifest.task == "multi-label":
        present = {label for video in train for label, x in enumerate(video.target or ()) if x}
    else:
        present = {video.label for video in train if video.label is not None}
    return [name for label, name in enumerate(manifest.classes or ()) if label not in present]


def _targets(videos: Sequence[Video]) -> list[tuple[float, ...]]:
    return [video.target for video in videos if video.target is not None]


def _title(text: str, names: Sequence[str]) -> str:
    more = f" (the first {MAX_ROWS} of {len(names):,}; all: --json)"
    return text + more * (len(names) > MAX_ROWS)

"""The videos that a classifier is evaluated on, under the labels of the classifier."""

from pathlib import Path

from videomae_cli.checkpoints.class_names import describe_difference, match_classes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.errors import DataError
from videomae_cli.report import Report


def open_data(config: ModelConfig, folder: Path | None) -> Manifest:
    """Read the prepared data; by default those that the model was trained on.

    Raises:
        DataError: The checkpoint does not record its data, or they are no longer there.
    """
    folder = folder or (Path(config.data) if config.data else None)
    if folder is None:
        raise DataError("the checkpoint does not record its dataset", "give --data DIR")
    return read_manifest(folder)


def select_videos(
    config: ModelConfig, manifest: Manifest, split: str | None, clip: ClipSpec, report: Report
) -> tuple[Manifest, str]:
    """Return the data under the labels of the checkpoint, and the split of it to evaluate.

    Args:
        config: Describes the classifier.
        manifest: The prepared data.
        split: Its videos to evaluate; None: `test` if it has labels, else `val`.
        clip: How clips are sampled, with the protocol applied.
        report: Receives what happens to short videos, and how classes were matched.

    Raises:
        DataError: There is no such split, it is not labelled, or its classes differ.
    """
    if clip.step_seconds is not None:
        manifest = with_times(manifest)
    if split is None:
        is_labelled = all(video.label is not None for video in manifest.split("test"))
        split = "test" if manifest.split("test") and is_labelled else "val"
    if not manifest.split(split):
        splits = sorted({video.split for video in manifest.videos})
        raise DataError(
            f"{manifest.folder}: no {split} videos", f"use --split with {' or '.join(splits)}"
        )
    report_short_videos(clip, manifest, [split], report, is_training=False)
    if any(video.label is None for video in manifest.split(split)):
        raise DataError(
            f"{manifest.folder}: {split} videos without a label", "prepare a labelled list"
        )
    return relabel(config, manifest, report), split


def relabel(config: ModelConfig, manifest: Manifest, report: Report) -> Manifest:
    """Return the data with the labels of the checkpoint, matched by the names of the classes.

    Raises:
        DataError: The classes are not those of the checkpoint.
    """
    classes, known = manifest.classes or (), config.classes or ()
    match = match_classes(classes, known)
    if match is None:
        raise DataError(
            f"{manifest.folder}: its classes are not those of the checkpoint;"
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

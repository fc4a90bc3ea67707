"""The videos that a classifier is evaluated on, under the labels of the classifier."""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.checkpoints.class_names import describe_difference, match_classes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.data.manifest import Manifest, Video, read_manifest
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.data_list import is_prepared, open_list
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.evaluate.scores import Failure


def find_data(config: ModelConfig, folder: Path | None) -> Path:
    """Return a folder or list of the user, by default the data that the model was trained on.

    Raises:
        DataError: The checkpoint does not record its data.
    """
    if folder is not None:
        return folder
    if config.data is None:
        raise DataError("the checkpoint does not record its dataset", "give --data DIR")
    return Path(config.data)


def open_data(
    config: ModelConfig, options: EvalOptions, report: Report
) -> tuple[Manifest, tuple[Failure, ...]]:
    """Read the prepared data, by default those that the model was trained on, or a list.

    Returns the data, and the videos of a list that cannot be used.

    Raises:
        DataError: The checkpoint does not record its data, they are no longer there, or a list is
            wrong.
        UsageError: A label map is given for prepared data.
    """
    folder = find_data(config, options.data)
    if options.data is None or is_prepared(folder) or not folder.exists():
        if options.label_map is not None:
            raise UsageError(
                f"--label-map names the classes of a list, and {folder} is prepared already",
                "give the list: --data LIST; or prepare it again with --classes FILE",
            )
        return read_manifest(folder), ()
    listed = open_list(folder, report, label_map=options.label_map, known=config.classes or ())
    return listed.manifest, tuple(
        Failure(video.path, f"{video.path}: {video.reason}") for video in listed.rejected
    )


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
        is_labelled = all(video.is_labelled for video in manifest.split("test"))
        split = "test" if manifest.split("test") and is_labelled else "val"
    if not manifest.split(split):
        splits = sorted({video.split for video in manifest.videos})
        raise DataError(
            f"{manifest.folder}: no {split} videos", f"use --split with {' or '.join(splits)}"
        )
    report_short_videos(clip, manifest, [split], report, is_training=False)
    if not all(video.is_labelled for video in manifest.split(split)):
        raise DataError(
            f"{manifest.folder}: {split} videos without a label", "prepare a labelled list"
        )
    return relabel(config, manifest, report), split


def relabel(config: ModelConfig, manifest: Manifest, report: Report) -> Manifest:
    """Return the data with the labels of the checkpoint, matched by the names of the classes.

    Raises:
        DataError: The classes are not those of the checkpoint, or the labels are of another task.
    """
    if manifest.task != config.task:
        raise DataError(
            f"{manifest.folder} was prepared for {manifest.task}, but the model is {config.task}",
            f"prepare it again: videomae prepare SOURCE --out DIR --task {config.task}",
        )
    classes, known = manifest.classes or (), config.classes or ()
    match = match_classes(classes, known)
    is_partial = config.task != "single-label" and len(classes) != len(known)
    if match is None or is_partial:
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
    videos = tuple(_relabel_video(video, match.places) for video in manifest.videos)
    return manifest._replace(videos=videos, classes=tuple(names))


def _relabel_video(video: Video, places: Sequence[int]) -> Video:
    """Return a video with the label or target of the checkpoint.

    Args:
        video: Under the classes of the data.
        places: The class of the checkpoint for each class of the data.
    """
    if video.label is not None:
        return video._replace(label=places[video.label])
    if video.target is None:
        return video
    by_place = dict(zip(places, video.target, strict=True))
    return video._replace(target=tuple(by_place[place] for place in range(len(places))))

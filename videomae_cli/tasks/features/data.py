"""The videos that features are computed of, and their views."""

from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.data import open_data
from videomae_cli.tasks.features.options import FeatureOptions


def open_videos(
    config: ModelConfig, options: FeatureOptions, protocol: Protocol, report: Report
) -> Manifest:
    """Read the prepared data, of the wanted splits only; labels are those of the data.

    Raises:
        DataError: There are no data, no such split, or frame times that are needed are missing.
    """
    manifest = open_data(config, options.data)
    clip = protocol.apply(config.clip())
    if clip.step_seconds is not None or manifest.times_digest:
        manifest = with_times(manifest)  # also for the seconds in the table
    splits = tuple(dict.fromkeys(video.split for video in manifest.videos))
    for split in options.splits:
        if split not in splits:
            raise DataError(
                f"{manifest.folder}: no {split} videos", f"use --split with {' or '.join(splits)}"
            )
    chosen = options.splits or splits
    report_short_videos(clip, manifest, chosen, report, is_training=False)
    videos = tuple(video for video in manifest.videos if video.split in chosen)
    if not videos:
        raise DataError(f"{manifest.folder}: no videos", "prepare a folder or list of videos")
    return manifest._replace(videos=videos)


def make_feature_views(manifest: Manifest, config: ModelConfig, protocol: Protocol) -> EvalViews:
    """Return the views of all videos of a manifest."""
    clip = protocol.apply(config.clip()).candidates()
    return EvalViews(manifest.videos, manifest.root, clip, protocol, times=manifest.times)

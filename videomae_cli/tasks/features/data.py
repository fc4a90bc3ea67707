"""The videos that features are computed of, and their views."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import NO_ARRAYS, EvalViews, ViewRequest
from videomae_cli.data.evaluation.windows import plan_window_requests
from videomae_cli.data.ingest.input_videos import InputVideos
from videomae_cli.data.manifest import (
    COLUMNS,
    ENCODING,
    ENCODING_ERRORS,
    Manifest,
    csv_text,
    read_manifest,
)
from videomae_cli.data.shards.index import read_stamp
from videomae_cli.data.short_videos import report_short_videos
from videomae_cli.data.time_sampling import with_times
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.data import find_data
from videomae_cli.tasks.features.options import FeatureOptions
from videomae_cli.tasks.features.rows import Items, ItemWindows


class Rejected(NamedTuple):
    """A video without features."""

    path: str
    split: str
    reason: str


class Videos(NamedTuple):
    """The videos to compute features of."""

    manifest: Manifest
    rejected: tuple[Rejected, ...] = ()
    """Those that are known to be unreadable."""
    arrays: Mapping[int, NDArray[np.uint8]] = NO_ARRAYS
    """All frames (T, H, W, C) of the videos that are arrays in memory, by number."""


def open_videos(config: ModelConfig, options: FeatureOptions, clip: ClipSpec) -> Videos:
    """Read the prepared data, of the wanted splits only; labels are those of the data.

    Raises:
        DataError: There are no data, no such split, or frame times that are needed are missing.
    """
    manifest = read_manifest(find_data(config, options.data))
    if clip.step_seconds is not None or manifest.times_digest:
        manifest = with_times(manifest)  # also for the seconds in the table
    splits = tuple(dict.fromkeys(video.split for video in manifest.videos))
    for split in options.splits:
        if split not in splits:
            raise DataError(
                f"{manifest.folder}: no {split} videos", f"use --split with {' or '.join(splits)}"
            )
    chosen = options.splits or splits
    videos = tuple(video for video in manifest.videos if video.split in chosen)
    if not videos:
        raise DataError(f"{manifest.folder}: no videos", "prepare a folder or list of videos")
    return Videos(manifest._replace(videos=videos))


def use_inputs(inputs: InputVideos) -> Videos:
    """Return the videos of a command line as data without splits and labels."""
    videos = tuple(video._replace(split="") for video in inputs.videos)
    rejected = tuple(Rejected(one.name, "", f"{one.name}: {one.reason}") for one in inputs.rejected)
    if not videos:
        reason = rejected[0].reason if rejected else "no videos given"
        error = DataError(f"none of {len(rejected):,} videos can be read: {reason}")
        raise error.with_answer({"rejected": [one.reason for one in rejected]})
    times = {name: seconds.tolist() for name, seconds in sorted(inputs.times.items())}
    # files of a command line are no segments, and their digest is older than the column
    text = csv_text(COLUMNS, (video[:-1] for video in videos)) + json.dumps(times)
    digest = hashlib.sha256(text.encode(ENCODING, ENCODING_ERRORS)).hexdigest()
    manifest = Manifest(inputs.root, videos, None, digest, times=inputs.times)
    return Videos(manifest, rejected, inputs.arrays)


def digest_sizes(manifest: Manifest) -> str:
    """Return a digest of the sizes in bytes of all video files.

    A file that was replaced by another one can have the same number of frames, rate and picture
    size, and then the data have the same digest. The date would not survive a copy. Folders of
    frames and files that are missing count as 0.
    """
    sizes = []
    for video in manifest.videos:
        path = manifest.root / video.path
        try:
            sizes.append(0 if path.is_dir() else read_stamp(path)[0])
        except (OSError, ValueError, DataError):
            sizes.append(0)
    return hashlib.sha256(json.dumps(sizes).encode()).hexdigest()


def report_short(clip: ClipSpec, manifest: Manifest, report: Report) -> None:
    """Report what happens to videos that are shorter than a clip."""
    splits = list(dict.fromkeys(video.split for video in manifest.videos))
    report_short_videos(clip, manifest, splits, report, is_training=False)


def plan_items(
    videos: Videos, clip: ClipSpec, protocol: Protocol, options: FeatureOptions
) -> tuple[Items, tuple[Rejected, ...]]:
    """Return the items, and the videos whose windows cannot be planned.

    Args:
        videos: The data.
        clip: How clips are read, with the protocol applied.
        protocol: The views of a video or a window.
        options: The level, and the duration of windows.
    """
    manifest = videos.manifest
    requests: list[ViewRequest] | None = None
    windows: list[ItemWindows] = []
    rejected: list[Rejected] = []
    if options.level == "window":
        requests = []
        for number, video in enumerate(manifest.videos):
            try:
                planned = _plan_windows(manifest, number, clip, protocol, options)
            except DataError as error:
                reason = error.message.removeprefix(f"{video.name}: ")
                rejected.append(Rejected(video.name, video.split, f"{video.name}: {reason}"))
                continue
            requests += [request for request, _ in planned]
            windows += [some for _, some in planned]
    views = EvalViews(
        *(manifest.videos, manifest.root, clip, protocol),
        times=manifest.times,
        requests=requests,
        arrays=videos.arrays,
    )
    return Items(views, options.level, windows), (*videos.rejected, *rejected)


def _plan_windows(
    manifest: Manifest, number: int, clip: ClipSpec, protocol: Protocol, options: FeatureOptions
) -> Sequence[tuple[ViewRequest, ItemWindows]]:
    assert options.window is not None
    spacing = options.window, options.hop or options.window
    video = manifest.videos[number]
    requests = plan_window_requests(number, video, clip, protocol, manifest.times, spacing)
    places, items = 0, []
    for request, windows in requests:
        items.append((request, ItemWindows(places, windows)))
        places += len(windows)
    return items

"""The channels of all frames of a data set, and the statistics of its training pixels."""

from collections.abc import Sequence
from typing import Any

from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import Video
from videomae_cli.data.pixel_statistics import RGB, summarize_pixels
from videomae_cli.errors import DataError
from videomae_cli.report import Report


def measure_pixels(
    entries: Sequence[VideoEntry],
    results: Sequence[ReadableVideo | RejectedVideo],
    videos: Sequence[Video],
    report: Report,
) -> dict[str, Any]:
    """Return channels, mean and standard deviation for `dataset.json`; report other than RGB.

    `videos` are the rows of the manifest: the readable entries in their order. Raises a DataError
    if the videos have different numbers of channels.
    """
    readable = [
        (entry.path, result)
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, ReadableVideo)
    ]
    channels = {result.channels: path for path, result in reversed(readable)}
    if len(channels) > 1:
        examples = ", ".join(f"{count} in {path}" for count, path in sorted(channels.items()))
        raise DataError(
            f"the videos have different numbers of channels: {examples}",
            "prepare videos of each kind on their own",
        )
    moments = [
        result.moments
        for (_, result), video in zip(readable, videos, strict=True)
        if video.split == "train"
    ]
    count = next(iter(channels), RGB)
    if count != RGB:
        report.say(
            f"frames have {count} channel{'s' if count > 1 else ''}: train with --set"
            f" clip.channels={count} --set clip.mean=measured --set clip.std=measured"
        )
    return summarize_pixels(moments, count)

"""Make the rows of the manifest from the list, the labels and the results of probing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from videomae_cli import __version__
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, decoder_versions
from videomae_cli.data.ingest.random_split import random_split
from videomae_cli.data.ingest.segments import Span
from videomae_cli.data.labels.numbering import Labels
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import SPLITS, Video
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import VAL_FRACTION, PrepareOptions


def make_rows(
    entries: Sequence[VideoEntry],
    labels: Labels,
    results: Sequence[ReadableVideo | RejectedVideo],
    spans: Sequence[Span],
    options: PrepareOptions,
    report: Report,
) -> list[Video]:
    """Return the rows of the manifest, in the order of the list, each with its split."""
    targets = labels.targets or (None,) * len(entries)
    table = zip(entries, labels.numbers, targets, results, spans, strict=True)
    videos = [
        Video(entry.path, label, entry.split or "train", *result.columns, target)._replace(
            frames=span.frames, start=span.start
        )
        for entry, label, target, result, span in table
        if isinstance(result, ReadableVideo)
    ]
    if labels.classes is not None and not any(entry.split for entry in entries):
        fraction = VAL_FRACTION if options.val_fraction is None else options.val_fraction
        splits = random_split(
            [video.path for video in videos],
            [video.label for video in videos],
            fraction=fraction,
            seed=options.seed,
            classes=_list_classes(videos) if options.task == "multi-label" else None,
        )
        videos = [video._replace(split=split) for video, split in zip(videos, splits, strict=True)]
        share = "each class" if options.task == "single-label" else "the videos"
        report.say(
            f"no split given: {fraction:.0%} of {share} drawn for val with seed "
            f"{options.seed}. Clips cut from the same recording may be in both splits"
        )
    return videos


def _list_classes(videos: Sequence[Video]) -> list[list[int]]:
    """Return the numbers of all classes of each video."""
    return [
        [number for number, value in enumerate(video.target or ()) if value] for video in videos
    ]


def collect_times(
    entries: Sequence[VideoEntry], results: Sequence[ReadableVideo | RejectedVideo]
) -> dict[str, tuple[float, ...]]:
    """Return when the frames of each video with a variable rate are shown, by its path."""
    return {
        entry.path: result.times
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, ReadableVideo) and result.times
    }


def describe_data(
    layout: str, source: Path, videos: Sequence[Video], rejected: int, options: PrepareOptions
) -> dict[str, object]:
    """Return the facts that `dataset.json` contains, without root and digests."""
    counts = Counter(video.split for video in videos)
    return {
        **({} if options.task == "single-label" else {"task": options.task}),
        "source": str(source.absolute()),
        "layout": layout,
        "videos": {name: counts[name] for name in SPLITS},
        "rejected": rejected,
        "val_fraction": VAL_FRACTION if options.val_fraction is None else options.val_fraction,
        "seed": options.seed,
        "decoder": options.reading_decoder,
        "versions": {"videomae": __version__, **decoder_versions(options.reading_decoder)},
    }

"""What is in a data set: lengths, sizes, rates, codecs, labels; as plain numbers."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.manifest import SPLITS
from videomae_cli.tasks.prepare.health.finding import DataSet
from videomae_cli.tasks.prepare.health.labels import count_classes

FRAME_EDGES = (16, 32, 64, 128, 256, 512, 1024, 4096)
SHOWN_VALUES = 12


def describe(data: DataSet) -> dict[str, Any]:
    """Return the numbers of the report; every `*_counts` is a list of [text, number].

    They are those of the files that training reads. If these were written from others, those of the
    sources are in `source`.
    """
    items = data.items
    videos, health = [item.video for item in items], [item.health for item in items]
    seconds = sum(video.frames / video.fps for video in videos if video.fps > 0)
    return {
        "videos": {split: len(data.split(split)) for split in SPLITS},
        "rejected": len(data.rejected),
        "hours": round(seconds / 3600, 4),
        **_describe_files({item.path: item.health for item in items}, health),
        "source": _describe_files(data.sources, [data.sources[one.path] for one in items])
        if data.sources
        else None,
        "frame_counts": _count_ranges([video.frames for video in videos], FRAME_EDGES),
        "size_counts": _count_values(f"{video.width} x {video.height}" for video in videos),
        "rate_counts": _count_values(
            f"{video.fps:.4g}" if video.fps > 0 else "unknown" for video in videos
        ),
        "key_distance_counts": _count_ranges([facts.key_distance for facts in health], FRAME_EDGES),
        "decoder_counts": _count_values(video.decoder for video in videos),
        "classes": list(data.classes or ()),
        "class_counts": count_classes(data),
        "pixels": data.facts,
    }


def _describe_files(
    files: Mapping[str, VideoHealth], videos: Sequence[VideoHealth]
) -> dict[str, Any]:
    """Return the bytes of files, each once, and what the files of the videos are."""
    return {
        "bytes": sum(facts.size for facts in files.values()),
        "with_audio": sum(facts.has_audio for facts in videos),
        "codec_counts": _count_values(
            f"{facts.codec or 'unknown'} {facts.pixel_format}".strip() for facts in videos
        ),
        "container_counts": _count_values(
            facts.container.split(",")[0] or "folder of frames" for facts in videos
        ),
    }


def _count_values(values: Iterable[Hashable]) -> list[list[Any]]:
    """Return the most frequent values with their numbers, and the number of all others."""
    counts = Counter(values).most_common()
    shown: list[list[Any]] = [list(pair) for pair in counts[:SHOWN_VALUES]]
    if len(counts) > SHOWN_VALUES:
        others = counts[SHOWN_VALUES:]
        shown.append([f"{len(others):,} others", sum(count for _, count in others)])
    return shown


def _count_ranges(values: Sequence[int], edges: Sequence[int]) -> list[list[Any]]:
    """Return how many values are in each range between two edges, without empty ends."""
    bounds = [0, *edges]
    rows: list[list[Any]] = []
    for low, high in zip(bounds, [*edges, None], strict=True):
        count = sum(value >= low and (high is None or value < high) for value in values)
        text = f"{low:,} or more" if high is None else f"{low:,} to {high - 1:,}"
        rows.append([text, count])
    used = [place for place, row in enumerate(rows) if row[1]]
    return rows[used[0] : used[-1] + 1] if used else []

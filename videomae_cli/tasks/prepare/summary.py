"""What `prepare` made, in numbers: for people as a table, for programs as JSON."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from videomae_cli.data.manifest import SPLITS, Manifest, Video
from videomae_cli.report import Report

SHORT_FRAMES = 16 * 4  # the usual clip: 16 frames, each 4 apart
SHOWN_REASONS = 5


class Census(NamedTuple):
    """A prepared data set and what was left out of it."""

    out: Path
    layout: str
    manifest: Manifest
    rejected: Counter[str]

    @property
    def next_command(self) -> str:
        """Return what to run now."""
        return f"videomae pretrain --recipe small-data-vits --data {shlex.quote(str(self.out))}"

    def as_json(self) -> dict[str, object]:
        """Return the numbers for a program."""
        videos = self.manifest.videos
        return {
            "out": str(self.out),
            "root": str(self.manifest.root),
            "layout": self.layout,
            "videos": {name: len(self.manifest.split(name)) for name in SPLITS},
            "classes": self.manifest.classes,
            "frames": dict(zip(("min", "median", "max"), _frames(videos), strict=True)),
            "shorter_than_64_frames": _short(videos),
            "decoders": dict(Counter(video.decoder for video in videos)),
            "rejected": dict(self.rejected.most_common()),
            "digest": self.manifest.digest,
            "next": self.next_command,
        }


def show(census: Census, report: Report) -> None:
    """Show the numbers and what to do next."""
    videos = census.manifest.videos
    splits = [(name, census.manifest.split(name)) for name in SPLITS]
    rows = [_row(name, part) for name, part in splits if part]
    if len(rows) > 1:
        rows.append(_row("all", videos))
    columns = ("split", "videos", "classes", "frames: min", "median", "max", "shorter than 64")
    report.table(f"{census.out}: {len(videos):,} videos, layout {census.layout}", columns, rows)
    short = _short(videos)
    if short:
        report.say(
            f"{short:,} of {len(videos):,} videos are shorter than 16 x 4 = {SHORT_FRAMES} frames: "
            "in clips of that span their last frame is repeated"
        )
    decoders = Counter(video.decoder for video in videos)
    counts = ", ".join(f"{name} {count:,}" for name, count in decoders.most_common())
    why = "; PyAV where decord fails or finds other frames" if len(decoders) > 1 else ""
    report.say(f"decoders: {counts}{why}")
    _show_classes(census.manifest, report)
    if census.rejected:
        _show_rejected(census, report)
    report.say(f"next: {census.next_command}")


def _show_classes(manifest: Manifest, report: Report) -> None:
    if manifest.classes is None:
        report.say("no labels: good for pretrain; finetune and eval need them")
        return
    trained = {video.label for video in manifest.split("train")}
    missing = [name for label, name in enumerate(manifest.classes) if label not in trained]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        report.warn(
            f"{len(missing)} of {len(manifest.classes)} classes have no training video: {shown}"
        )
    if not manifest.split("val"):
        report.warn("no val split: finetune cannot be validated on this data")


def _show_rejected(census: Census, report: Report) -> None:
    total = sum(census.rejected.values())
    common = census.rejected.most_common(SHOWN_REASONS)
    reasons = "; ".join(f"{count:,} x {reason}" for reason, count in common)
    more = len(census.rejected) - len(common)
    more_text = f"; and {more} other reasons" if more else ""
    report.warn(
        f"{total:,} rejected: {reasons}{more_text} (each one: {census.out / 'rejected.csv'})"
    )


def _row(name: str, videos: Sequence[Video]) -> list[str]:
    labels = {video.label for video in videos} - {None}
    frames = [f"{value:,.10g}" for value in _frames(videos)]
    return [name, f"{len(videos):,}", str(len(labels) or "-"), *frames, f"{_short(videos):,}"]


def _frames(videos: Sequence[Video]) -> tuple[int, float, int]:
    counts = [video.frames for video in videos]
    return min(counts), median(counts), max(counts)


def _short(videos: Sequence[Video]) -> int:
    return sum(video.frames < SHORT_FRAMES for video in videos)

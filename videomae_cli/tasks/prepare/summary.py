"""Summary of a prepared data set: a table for people, JSON for programs."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from videomae_cli.data.manifest import SPLITS, Manifest, Video
from videomae_cli.report import Report

SHORT_FRAMES = 16 * 4  # the usual clip: 16 frames with a stride of 4
SHOWN_REASONS = 5


class PrepareSummary(NamedTuple):
    """A prepared data set and the videos that were rejected."""

    out: Path
    """The prepared directory."""
    layout: str
    manifest: Manifest
    rejected: Counter[str]
    """Number of videos for each reason."""

    @property
    def next_command(self) -> str:
        """Return a command that trains on the data."""
        return f"videomae pretrain --recipe small-data-vits --data {shlex.quote(str(self.out))}"

    def as_json(self) -> dict[str, object]:
        """Return the summary for a program."""
        videos = self.manifest.videos
        return {
            "out": str(self.out),
            "root": str(self.manifest.root),
            "layout": self.layout,
            "videos": {name: len(self.manifest.split(name)) for name in SPLITS},
            "classes": self.manifest.classes,
            "frames": dict(zip(("min", "median", "max"), _frame_counts(videos), strict=True)),
            "shorter_than_64_frames": _count_short(videos),
            "decoders": dict(Counter(video.decoder for video in videos)),
            "rejected": dict(self.rejected.most_common()),
            "digest": self.manifest.digest,
            "next": self.next_command,
        }


def show_summary(summary: PrepareSummary, report: Report) -> None:
    """Report counts, warnings and the next command."""
    videos = summary.manifest.videos
    splits = [(name, summary.manifest.split(name)) for name in SPLITS]
    rows = [_row(name, in_split) for name, in_split in splits if in_split]
    if len(rows) > 1:
        rows.append(_row("all", videos))
    columns = ("split", "videos", "classes", "frames: min", "median", "max", "shorter than 64")
    report.table(f"{summary.out}: {len(videos):,} videos, layout {summary.layout}", columns, rows)
    short = _count_short(videos)
    if short:
        report.say(
            f"{short:,} of {len(videos):,} videos are shorter than {SHORT_FRAMES} frames (16 x 4, "
            "a usual clip): clip.short of the recipe decides what happens; by default, the frames "
            "of their clips are spread evenly over the whole video"
        )
    decoders = Counter(video.decoder for video in videos)
    counts = ", ".join(f"{name} {count:,}" for name, count in decoders.most_common())
    reason = "; PyAV for videos that decord cannot read or reads differently"
    report.say(f"decoders: {counts}{reason if len(decoders) > 1 else ''}")
    _show_classes(summary.manifest, report)
    if summary.rejected:
        _show_rejected(summary, report)
    report.say(f"next: {summary.next_command}")


def _show_classes(manifest: Manifest, report: Report) -> None:
    if manifest.classes is None:
        report.say("no labels: these data can be used by pretrain; finetune and eval need labels")
        return
    in_training = {video.label for video in manifest.split("train")}
    missing = [name for label, name in enumerate(manifest.classes) if label not in in_training]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        report.warn(
            f"{len(missing)} of {len(manifest.classes)} classes have no training video: {shown}"
        )
    if not manifest.split("val"):
        report.warn("no val split: finetune cannot validate on these data")


def _show_rejected(summary: PrepareSummary, report: Report) -> None:
    total = summary.rejected.total()
    common = summary.rejected.most_common(SHOWN_REASONS)
    reasons = "; ".join(f"{count:,} x {reason}" for reason, count in common)
    more = len(summary.rejected) - len(common)
    more_text = f"; and {more} other reasons" if more else ""
    report.warn(
        f"{total:,} videos rejected: {reasons}{more_text} (see {summary.out / 'rejected.csv'})"
    )


def _row(name: str, videos: Sequence[Video]) -> list[str]:
    labels = {video.label for video in videos} - {None}
    frames = [f"{value:,.10g}" for value in _frame_counts(videos)]
    return [name, f"{len(videos):,}", str(len(labels) or "-"), *frames, f"{_count_short(videos):,}"]


def _frame_counts(videos: Sequence[Video]) -> tuple[int, float, int]:
    counts = [video.frames for video in videos]
    return min(counts), median(counts), max(counts)


def _count_short(videos: Sequence[Video]) -> int:
    return sum(video.frames < SHORT_FRAMES for video in videos)

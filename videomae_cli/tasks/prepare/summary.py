"""Summary of a prepared data set: a table for people, JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.data.decode import TORCHCODEC
from videomae_cli.data.ingest.probe import (
    AUTO,
    LATE,
    LATE_NOTE,
    ReadableVideo,
    RejectedVideo,
)
from videomae_cli.data.manifest import SPLITS, Manifest, Video
from videomae_cli.report import Report, shell_word
from videomae_cli.tasks.prepare import label_summary
from videomae_cli.tasks.prepare.health.finding import Health
from videomae_cli.tasks.starting_point import StartingPoint, choose_starting_point
from videomae_cli.units import plural

SHORT_FRAMES = 16 * 4  # the usual clip: 16 frames with a stride of 4
SHOWN_REASONS = 5
# why PyAV reads some videos, by the decoder asked for
PYAV_REASONS = {
    AUTO: "decord cannot read or reads differently, or more slowly",
    TORCHCODEC: "torchcodec cannot read or reads differently",
}
# what notes on videos mean, by words in them: a verb before the note, and the consequence
MEANINGS = {
    "HDR": ("are", "decoded as they are, paler than the rest"),
    "non-square pixels": ("have", "used as stored, narrower or wider than a player shows them"),
    "variable frame rate": (
        "have a",
        "frames are taken by number, at unequal times; with clip.fps, by time",
    ),
    "interlaced": ("are", "used as they are, so moving edges look like combs"),
    "grey": ("are", ""),
}


class PrepareSummary(NamedTuple):
    """A prepared data set and the videos that were rejected."""

    out: Path
    """The prepared directory."""
    layout: str
    manifest: Manifest
    rejected: Counter[str]
    """Number of videos for each reason."""
    remarks: tuple[str, ...]
    """Sentences about all that is not used, or was changed."""
    notes: Counter[str]
    """Number of readable videos for each note."""
    health: Health
    """What may be wrong with the data."""
    decoder: str = AUTO
    """The decoder asked for."""

    @property
    def late(self) -> tuple[int, int]:
        """Return how many files ran into the time limit: rejected ones, and those kept."""
        rejected = sum(count for why, count in self.rejected.items() if why.endswith(LATE))
        return rejected, self.notes[LATE_NOTE]

    @property
    def start(self) -> StartingPoint:
        """Where to start with these data; whether there is a GPU is not looked up here."""
        return choose_starting_point(
            len(self.manifest.split("train")),
            shell_word(str(self.out)),
            has_labels=self.manifest.classes is not None,
            has_gpu=None,
        )

    def as_json(self) -> dict[str, object]:
        """Return the summary for a program."""
        videos = self.manifest.videos
        return {
            "out": str(self.out),
            "root": str(self.manifest.root),
            "layout": self.layout,
            "videos": {name: len(self.manifest.split(name)) for name in SPLITS},
            "classes": self.manifest.classes,
            **label_summary.as_json(self.manifest),
            "frames": dict(zip(("min", "median", "max"), _frame_counts(videos), strict=True)),
            "shorter_than_64_frames": _count_short(videos),
            "segments": sum(video.start is not None for video in videos),
            "decoders": dict(Counter(video.decoder for video in videos)),
            "notes": dict(self.notes.most_common()),
            "rejected": dict(self.rejected.most_common()),
            "findings": {one.name: one.number for one in self.health.findings},
            "remarks": list(self.remarks),
            "digest": self.manifest.digest,
            "start": self.start._asdict(),
            "next": self.start.command,
        }


def show_summary(summary: PrepareSummary, report: Report) -> None:
    """Report counts, warnings and the next command."""
    videos = summary.manifest.videos
    splits = [(name, summary.manifest.split(name)) for name in SPLITS]
    task = summary.manifest.task
    rows = [_row(name, in_split, task) for name, in_split in splits if in_split]
    if len(rows) > 1:
        rows.append(_row("all", videos, task))
    columns = ("split", "videos", "classes", "frames: min", "median", "max", "shorter than 64")
    report.table(f"{summary.out}: {plural(len(videos))}, layout {summary.layout}", columns, rows)
    segments = [video.path for video in videos if video.start is not None]
    if segments:
        report.say(
            f"{len(segments):,} of {len(videos):,} videos "
            f"{'is a segment' if len(segments) == 1 else 'are segments'} of "
            f"{plural(len(set(segments)), 'file')}: frames are counted from the start of a segment"
        )
    short = _count_short(videos)
    if short:
        report.say(
            f"{short:,} of {len(videos):,} videos {'is' if short == 1 else 'are'} shorter than "
            f"{SHORT_FRAMES} frames (16 x 4, a usual clip): clip.short of the recipe decides what "
            "happens; by default, the frames of their clips are spread evenly over the whole video"
        )
    _show_decoders(summary, report)
    for note, count in summary.notes.most_common():
        if note != LATE_NOTE:
            report.say(_note_line(note, count, len(videos)))
    _show_classes(summary.manifest, report)
    if summary.rejected:
        _show_rejected(summary, report)
    report.say(summary.health.summary())
    summary.start.show(report, "next")


def count_notes(results: Sequence[ReadableVideo | RejectedVideo]) -> Counter[str]:
    """Count the videos that each note is about."""
    readable = (result for result in results if isinstance(result, ReadableVideo))
    return Counter(note for video in readable for note in video.notes)


def _show_decoders(summary: PrepareSummary, report: Report) -> None:
    decoders = Counter(video.decoder for video in summary.manifest.videos)
    counts = ", ".join(f"{name} {count:,}" for name, count in decoders.most_common())
    reason = PYAV_REASONS.get(summary.decoder) if "pyav" in decoders else None
    report.say(f"decoders: {counts}{f'; PyAV for videos that {reason}' if reason else ''}")
    rejected, kept = summary.late
    if rejected or kept:
        report.warn(
            f"{plural(rejected + kept, 'file')} ran into the time limit {LATE}: {rejected:,} "
            f"rejected, {kept:,} kept and read with PyAV, because only decord did not end"
        )


def _note_line(note: str, count: int, total: int) -> str:
    """Return the line about the videos with a note: their number, the note, what it means."""
    words = next((words for words in MEANINGS if words in note), "")
    verb, meaning = MEANINGS.get(words, ("have", ""))
    verb = {"are": "is", "have": "has", "have a": "has a"}[verb] if count == 1 else verb
    return f"{count:,} of {total:,} videos {verb} {note}" + (f": {meaning}" if meaning else "")


def _show_classes(manifest: Manifest, report: Report) -> None:
    if manifest.classes is None:
        report.say("no labels: these data can be used by pretrain; finetune and eval need labels")
        return
    label_summary.show_labels(manifest, report)
    missing = label_summary.find_untrained_classes(manifest)
    if missing and manifest.task != "regression":
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
        f"{plural(total)} rejected: {reasons}{more_text} (see {summary.out / 'rejected.csv'})"
    )


def _row(name: str, videos: Sequence[Video], task: Task) -> list[str]:
    labels = {video.label for video in videos} - {None}
    if task == "multi-label":
        labels = {k for video in videos for k, value in enumerate(video.target or ()) if value}
    frames = [f"{value:,.10g}" for value in _frame_counts(videos)]
    return [name, f"{len(videos):,}", str(len(labels) or "-"), *frames, f"{_count_short(videos):,}"]


def _frame_counts(videos: Sequence[Video]) -> tuple[int, float, int]:
    counts = [video.frames for video in videos]
    return min(counts), median(counts), max(counts)


def _count_short(videos: Sequence[Video]) -> int:
    return sum(video.frames < SHORT_FRAMES for video in videos)

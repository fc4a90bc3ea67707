"""`videomae prepare`: check a folder or list of videos, and write the manifest that training reads.

A file that cannot be used is rejected with its reason; the others are kept. Nothing is written
outside `out`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from videomae_cli import __version__
from videomae_cli.data.ingest.list_checks import (
    check_frame_counts,
    check_has_training_videos,
    check_no_duplicates,
    check_splits_not_empty,
)
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, decoder_versions
from videomae_cli.data.ingest.random_split import random_split
from videomae_cli.data.labels.class_files import ClassNames, read_classes
from videomae_cli.data.labels.numbering import Labels, number_labels
from videomae_cli.data.labels.targets import read_targets
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import SPLITS, Video, csv_text, write_manifest, write_text
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.listing import list_videos
from videomae_cli.tasks.prepare.options import VAL_FRACTION, PrepareOptions, check_options
from videomae_cli.tasks.prepare.output import create_directory, remove_leftovers, writing
from videomae_cli.tasks.prepare.pixels import measure_pixels
from videomae_cli.tasks.prepare.probing import probe_entries
from videomae_cli.tasks.prepare.summary import PrepareSummary, count_notes, show_summary

REJECTED = "rejected.csv"


def run(
    source: Path, out: Path, report: Report, options: PrepareOptions | None = None
) -> PrepareSummary:
    """Prepare a folder of videos, or a list of them, and show a summary; see `write_prepared`."""
    summary = write_prepared(source, out, report, options or PrepareOptions())
    show_summary(summary, report)
    return summary


def write_prepared(
    source: Path, out: Path, report: Report, options: PrepareOptions
) -> PrepareSummary:
    """Prepare a folder of videos, or a list of them; results of an earlier run are reused.

    Raises:
        UsageError: A file cannot be written, or there is no such layout or decoder.
        DataError: The list is wrong (the message gives file and line), or no video can be used, or
            not all with `is_strict`.
        Stopped: Ctrl-C; the results so far are kept.
    """
    check_options(source, out, options)
    create_directory(out)
    root = options.root or (source if source.is_dir() else source.parent)
    given = options.classes
    classes = None if given is None else read_classes(given, options.encoding)
    layout, entries, remarks, names = list_videos(source, root, options, report)
    entries = [entry._replace(split=entry.split or options.split) for entry in entries]
    labels = read_labels(entries, names, root, classes, options)
    remarks += _warn(report, filter(None, (labels.remark, classes.guess if classes else "")))

    results = probe_entries(entries, root, out, options, report)
    remarks += _warn(report, check_frame_counts(entries, results))
    remove_leftovers(out)
    rejected = _write_rejected(entries, results, out, options)
    videos = _manifest_rows(entries, labels, results, options, report)
    facts = _facts(layout, source, videos, rejected.total(), options)
    facts |= measure_pixels(entries, results, videos, report)
    times = _frame_times(entries, results)
    with writing(out):
        manifest = write_manifest(
            out, root=root, videos=videos, classes=labels.classes, facts=facts, times=times
        )
    return PrepareSummary(
        out, layout, manifest, rejected, tuple(remarks), count_notes(results), options.decoder
    )


def read_labels(
    entries: Sequence[VideoEntry],
    names: Sequence[str],
    root: Path,
    classes: ClassNames | None,
    options: PrepareOptions,
) -> Labels:
    """Check the list and return its labels, in the form of the task."""
    check_no_duplicates(entries, root)
    is_for_evaluation = classes is not None or options.split is not None
    check_has_training_videos(entries, has_classes=is_for_evaluation)
    if options.task == "single-label":
        return number_labels(entries, classes)
    return read_targets(entries, names, options.task, classes)


def _warn(report: Report, texts: Iterable[str]) -> list[str]:
    """Report warnings, and return them."""
    warnings = list(texts)
    for text in warnings:
        report.warn(text)
    return warnings


def _write_rejected(
    entries: Sequence[VideoEntry],
    results: Sequence[ReadableVideo | RejectedVideo],
    out: Path,
    options: PrepareOptions,
) -> Counter[str]:
    """Write `rejected.csv`; return how many videos were rejected for each reason."""
    reasons = [result.reason if isinstance(result, RejectedVideo) else "" for result in results]
    with writing(out / REJECTED):
        rows = [(e.path, why) for e, why in zip(entries, reasons, strict=True) if why]
        write_text(out / REJECTED, csv_text(("path", "reason"), rows))
    check_splits_not_empty(entries, reasons, out / REJECTED)
    rejected = Counter(filter(None, reasons))
    if options.is_strict and rejected:
        raise DataError(
            f"{rejected.total()} of {len(entries)} videos are rejected, and --strict allows none",
            f"see {out / REJECTED}; no manifest is written",
        )
    return rejected


def _manifest_rows(
    entries: Sequence[VideoEntry],
    labels: Labels,
    results: Sequence[ReadableVideo | RejectedVideo],
    options: PrepareOptions,
    report: Report,
) -> list[Video]:
    """Return the rows of the manifest, in the order of the list, each with its split."""
    targets = labels.targets or (None,) * len(entries)
    readable = [
        (entry, label, target, result)
        for entry, label, target, result in zip(
            entries, labels.numbers, targets, results, strict=True
        )
        if isinstance(result, ReadableVideo)
    ]
    splits = [entry.split or "train" for entry, *_ in readable]
    if labels.classes is not None and not any(entry.split for entry in entries):
        fraction = VAL_FRACTION if options.val_fraction is None else options.val_fraction
        splits = random_split(
            [entry.path for entry, *_ in readable],
            [label for _, label, *_ in readable],
            fraction=fraction,
            seed=options.seed,
        )
        share = "each class" if options.task == "single-label" else "the videos"
        report.say(
            f"no split given: {fraction:.0%} of {share} drawn for val with seed "
            f"{options.seed}. Clips cut from the same recording may be in both splits"
        )
    return [
        Video(entry.path, label, split, *result.columns, target)
        for (entry, label, target, result), split in zip(readable, splits, strict=True)
    ]


def _frame_times(
    entries: Sequence[VideoEntry], results: Sequence[ReadableVideo | RejectedVideo]
) -> dict[str, tuple[float, ...]]:
    """Return when the frames of each video with a variable rate are shown, by its path."""
    return {
        entry.path: result.times
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, ReadableVideo) and result.times
    }


def _facts(
    layout: str, source: Path, videos: Sequence[Video], rejected: int, options: PrepareOptions
) -> dict[str, object]:
    counts = Counter(video.split for video in videos)
    return {
        **({} if options.task == "single-label" else {"task": options.task}),
        "source": str(source.absolute()),
        "layout": layout,
        "videos": {name: counts[name] for name in SPLITS},
        "rejected": rejected,
        "val_fraction": VAL_FRACTION if options.val_fraction is None else options.val_fraction,
        "seed": options.seed,
        "decoder": options.decoder,
        "versions": {"videomae": __version__, **decoder_versions()},
    }

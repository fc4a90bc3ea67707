"""Write `health.json` and `health.html` of a data set, and say in one line what was found."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import Video, write_text
from videomae_cli.errors import DataError
from videomae_cli.report import Report, format_json
from videomae_cli.tasks.prepare.health import duplicates, files, labels, parts, shapes
from videomae_cli.tasks.prepare.health.distributions import describe
from videomae_cli.tasks.prepare.health.finding import (
    HTML,
    JSON,
    DataSet,
    Finding,
    Health,
    Item,
    RejectedItem,
)
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.output import writing
from videomae_cli.tasks.prepare.rejected import describe_rejected

ORDER = ("error", "warning", "note")
CHECKS: tuple[Callable[[DataSet], Iterator[Finding]], ...] = (
    parts.find_split_files,
    files.find_empty_splits,
    files.find_rejected,
    files.find_damaged,
    files.find_black,
    files.find_frozen,
    labels.find_missing_classes,
    labels.find_imbalance,
    shapes.find_short,
    shapes.find_noted,
    files.find_sparse_key_frames,
    shapes.find_mixed_rates,
    shapes.find_unusual_sizes,
)


def collect_facts(
    entries: Sequence[VideoEntry],
    results: Sequence[ReadableVideo | RejectedVideo],
    videos: Sequence[Video],
    classes: Sequence[str] | None,
    options: PrepareOptions,
    pixels: dict[str, Any],
) -> DataSet:
    """Return what the findings are about; `videos` are the rows of the readable entries."""
    readable = [result for result in results if isinstance(result, ReadableVideo)]
    items = (
        Item(video, result.health, result.notes)
        for video, result in zip(videos, readable, strict=True)
    )
    rejected = (
        RejectedItem(entry.path, result.reason, entry.split)
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, RejectedVideo)
    )
    names = None if classes is None else tuple(classes)
    return DataSet(tuple(items), tuple(rejected), names, options.task, options.bad_budget, pixels)


def find_all(data: DataSet) -> tuple[Finding, ...]:
    """Return all findings, errors first."""
    pairs = duplicates.find_pairs(data.items)
    found = [
        *duplicates.find_leaks(data, pairs),
        *duplicates.find_label_conflicts(data, pairs),
        *(finding for check in CHECKS for finding in check(data)),
    ]
    return tuple(sorted(found, key=lambda finding: ORDER.index(finding.severity)))


def examine(source: Path, out: Path, data: DataSet) -> Health:
    """Return all findings about a data set.

    Raises:
        DataError: More videos are rejected than `--max-bad` allows; the reports are written.
    """
    health = Health(str(source), out, find_all(data), describe(data))
    share = len(data.rejected) / data.total
    if data.max_bad is not None and share > data.max_bad:
        write_health(health)
        rejected = Counter(one.reason for one in data.rejected)
        raise DataError(
            f"{len(data.rejected):,} of {data.total:,} videos are rejected ({share:.1%}), and "
            f"--max-bad allows {data.max_bad:.1%}",
            f"see {out / HTML}; no manifest is written",
        ).with_answer(
            {
                **describe_rejected(rejected, data.total, out, out / HTML),
                "findings": {one.name: one.number for one in health.findings},
            }
        )
    return health


def write_health(health: Health) -> None:
    """Write both reports; a UsageError if a file cannot be written."""
    from videomae_cli.tasks.prepare.health.html import render

    with writing(health.out):
        write_text(health.out / JSON, format_json(health.as_json(), indent=2) + "\n")
        write_text(health.out / HTML, render(health))


def show_findings(health: Health, report: Report) -> None:
    """Report every finding with what to do, and where the report is."""
    for finding in health.findings:
        show = report.say if finding.severity == "note" else report.warn
        show(f"{finding.text}; {finding.action}")
    report.say(health.summary())

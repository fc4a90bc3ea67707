"""Write `rejected.csv`, and decide whether too many videos are rejected."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.ingest.list_checks import check_splits_not_empty
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import csv_text, write_text
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.output import writing

REJECTED = "rejected.csv"


def check_budget(rejected: Counter[str], total: int, out: Path, options: PrepareOptions) -> None:
    """Raise a DataError if more videos are rejected than the options allow."""
    share = rejected.total() / total
    if options.bad_budget is not None and share > options.bad_budget:
        raise DataError(
            f"{rejected.total():,} of {total:,} videos are rejected ({share:.1%}), and "
            f"--max-bad allows {options.bad_budget:.1%}",
            f"see {out / REJECTED}; no manifest is written",
        ).with_answer(describe_rejected(rejected, total, out))


def describe_rejected(
    rejected: Counter[str], total: int, out: Path, health: Path | None = None
) -> dict[str, object]:
    """Return the answer for programs if no manifest is written, because videos are rejected."""
    return {
        "out": str(out),
        "listed": total,
        "rejected": dict(rejected.most_common()),
        "rejected_csv": str(out / REJECTED),
        "health": None if health is None else str(health),
    }


def write_rejected(
    entries: Sequence[VideoEntry],
    results: Sequence[ReadableVideo | RejectedVideo],
    out: Path,
    options: PrepareOptions,
) -> Counter[str]:
    """Write `rejected.csv`; return how many videos were rejected for each reason.

    Raises:
        DataError: All videos of a split are rejected, or any with `is_strict`; never with
            `is_check`.
        UsageError: The file cannot be written.
    """
    reasons = [result.reason if isinstance(result, RejectedVideo) else "" for result in results]
    with writing(out / REJECTED):
        rows = [(e.path, why) for e, why in zip(entries, reasons, strict=True) if why]
        write_text(out / REJECTED, csv_text(("path", "reason"), rows))
    rejected = Counter(filter(None, reasons))
    if options.is_check:
        return rejected
    facts = describe_rejected(rejected, len(entries), out)
    try:
        check_splits_not_empty(entries, reasons, out / REJECTED)
    except DataError as error:
        raise error.with_answer(facts) from None
    if options.is_strict and rejected:
        raise DataError(
            f"{rejected.total()} of {len(entries)} videos are rejected, and --strict allows none",
            f"see {out / REJECTED}; no manifest is written",
        ).with_answer(facts)
    return rejected

"""What must be right about a list, or the error that says where not; and what was rejected."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.ingest.probe import MISSING
from videomae_cli.data.layouts.entry import Entry
from videomae_cli.data.manifest import write_text
from videomae_cli.errors import DataError


def drop_copied_test(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Leave out a test list that repeats the val list, as VideoMAE's own lists do.

    Returns:
        The entries that stay, and how many went.
    """
    by_split = {
        split: {(entry.path, entry.label) for entry in entries if entry.split == split}
        for split in ("val", "test")
    }
    if not by_split["test"] or by_split["val"] != by_split["test"]:
        return list(entries), 0
    kept = [entry for entry in entries if entry.split != "test"]
    return kept, len(entries) - len(kept)


def refuse_doubles(entries: Sequence[Entry], root: Path) -> None:
    """Check that no video is listed twice.

    Raises:
        DataError: One is; names both places.
    """
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(os.path.normpath(root / entry.path), entry)
        if first is not entry:
            raise DataError(
                f"{entry.where}: {entry.path!r} is listed twice, first in {first.where}",
                "keep one of them; a video in two splits would be trained on and tested on",
            )


def refuse_no_training(entries: Sequence[Entry], *, has_classes: bool) -> None:
    """Check that there is something to train on; known classes make data for eval alone.

    Raises:
        DataError: All entries are of val or test.
    """
    splits = sorted({entry.split for entry in entries if entry.split})
    if "train" in splits or not splits or has_classes:
        return
    raise DataError(
        f"{entries[0].where}: no training videos: the split train is empty, all rows are of "
        f"{' and '.join(splits)}",
        "add a train list; for evaluation alone, say what the classes are: --classes",
    )


def refuse_wrong_root(entries: Sequence[Entry], reasons: Sequence[str], root: Path) -> None:
    """Check that at least one listed file exists.

    Raises:
        DataError: None does.
    """
    if any(reason != MISSING for reason in reasons):
        return
    first = entries[0]
    hint = f"where do the paths start? --root FOLDER (first tried: {root / first.path})"
    if Path(first.path).exists():
        hint = "the paths start from the working directory: add --root ."
    raise DataError(
        f"{first.where}: tried {len(entries)} files under {root}, none exists: is the root right?",
        hint,
    )


def refuse_emptied_splits(entries: Sequence[Entry], reasons: Sequence[str], rejected: Path) -> None:
    """Check that no split has lost all its videos.

    Args:
        entries: All of them.
        reasons: Why each was rejected, "" if it was not.
        rejected: Where the reasons are written.

    Raises:
        DataError: One has; names the first of its rows and the reason.
    """
    for split in dict.fromkeys(entry.split for entry in entries):
        own = [
            (entry, reason)
            for entry, reason in zip(entries, reasons, strict=True)
            if entry.split == split
        ]
        if all(reason for _, reason in own):
            entry, reason = own[0]
            what = f"the split {split} is empty" if split else "nothing is left"
            raise DataError(
                f"{entry.where}: {what}: all {len(own)} videos are rejected (here: {reason})",
                f"all reasons: {rejected}",
            )


def write_rejected(path: Path, entries: Sequence[Entry], reasons: Sequence[str]) -> None:
    """Write the entries that have a reason, as path,reason; a header alone when none has."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("path", "reason"))
    rows = zip(entries, reasons, strict=True)
    writer.writerows((entry.path, reason) for entry, reason in rows if reason)
    write_text(path, buffer.getvalue())

"""Check the list of a data set, and which splits are left after videos were rejected."""

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from videomae_cli.data.ingest.path_checks import MISSING
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.list_file import MULTI_LABEL
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.units import plural

MAX_FOLDERS = 200  # searched for the files of a list
COUNT_TOLERANCE = 0.1  # of the frames: other programs count a few more or fewer


def drop_copied_test_list(entries: Sequence[VideoEntry]) -> tuple[list[VideoEntry], int]:
    """Drop a test list that repeats the val list, as VideoMAE's do; also return how many rows."""
    by_split = {
        split: {
            (entry.path, entry.segment, entry.label, entry.cells)
            for entry in entries
            if entry.split == split
        }
        for split in ("val", "test")
    }
    if not by_split["test"] or by_split["val"] != by_split["test"]:
        return list(entries), 0
    remaining = [entry for entry in entries if entry.split != "test"]
    return remaining, len(entries) - len(remaining)


def check_no_duplicates(entries: Sequence[VideoEntry], root: Path) -> None:
    """Raise a DataError that names both places if a video, or a part of it, is listed twice."""
    seen: dict[tuple[str, Segment | None], VideoEntry] = {}
    for entry in entries:
        first = seen.setdefault((os.path.normpath(root / entry.path), entry.segment), entry)
        if first is entry:
            continue
        what = repr(entry.path)
        if (part := entry.segment) is not None:
            end = "its end" if part.end is None else f"{part.end:.10g}"
            what = f"the part from {part.start:.10g} to {end} {part.unit} of {what}"
        where = f"{entry.where}: {what} is listed twice, first in {first.where}"
        if first.label != entry.label and first.split == entry.split:
            raise DataError(
                f"{where}, with the labels {first.label!r} and {entry.label!r}: several labels per "
                "video",
                f"to predict several: {MULTI_LABEL}; else write one label for each video",
            )
        raise DataError(
            where,
            "remove one of them; a video in two splits would be used for training and testing",
        )


def check_has_training_videos(entries: Sequence[VideoEntry], *, has_classes: bool) -> None:
    """Raise a DataError without training videos; with given classes, evaluation data are enough."""
    splits = sorted({entry.split for entry in entries if entry.split})
    if "train" in splits or not splits or has_classes:
        return
    raise DataError(
        f"{entries[0].where}: no training videos: the split train is empty, all rows are in "
        f"{' and '.join(splits)}",
        "add a train list; for evaluation only, give the classes: --classes",
    )


def check_frame_counts(
    entries: Sequence[VideoEntry], results: Sequence[ReadableVideo | RejectedVideo]
) -> list[str]:
    """Return a sentence about videos whose frame count in the list is wrong.

    Raises:
        DataError: Most counts are wrong, so the numbers have another meaning.
    """
    counted, wrong = 0, []
    for entry, result in zip(entries, results, strict=True):
        if entry.frames is None or isinstance(result, RejectedVideo):
            continue
        counted += 1
        if abs(result.frames - entry.frames) > COUNT_TOLERANCE * result.frames:
            what = f"{entry.path!r} has {plural(result.frames, 'frame')}, not {entry.frames}"
            wrong.append(f"{entry.where}: {what}")
    if not wrong:
        return []
    if 2 * len(wrong) > counted:
        raise DataError(
            f"{wrong[0]}, and {len(wrong)} of {counted} counts are wrong: the number after the "
            "path is not the frame count",
            f"if the numbers are labels: {MULTI_LABEL}; else write `path label`",
        )
    return [
        f"{len(wrong)} of {counted} frame counts in the list are wrong, and are not used "
        f"({wrong[0]})"
    ]


def check_root(entries: Sequence[VideoEntry], reasons: Sequence[str], root: Path) -> None:
    """Raise a DataError if no listed file exists; `reasons` gives why each was rejected, or ""."""
    if any(reason != MISSING for reason in reasons):
        return
    first = entries[0]
    raise DataError(
        f"{first.where}: none of the {len(entries)} listed files exists under {root}",
        _find_root_hint(first, root),
    )


def _find_root_hint(entry: VideoEntry, root: Path) -> str:
    """Return where the file of an entry is, or what to give."""
    if Path(entry.path).exists():
        return "the paths start from the working directory: add --root ."
    parts = re.split(r"[\s,;|]+", entry.path)
    if len(parts) > 1 and any((root / part).is_file() for part in parts):
        return "the path must be the first field of a line: write `path label`"
    folders = (
        folder for pattern in ("*/", "*/*/", "../", "../*/") for folder in root.glob(pattern)
    )
    for folder in islice(folders, MAX_FOLDERS):
        if (folder / entry.path).is_file():
            return f"{entry.path} exists under {folder}: add --root {folder}"
    return f"give the folder that the paths start from: --root (first path: {root / entry.path})"


def check_splits_not_empty(
    entries: Sequence[VideoEntry], reasons: Sequence[str], rejected_file: Path
) -> None:
    """Raise a DataError that names a split's first video if all its videos are rejected."""
    for split in dict.fromkeys(entry.split for entry in entries):
        in_split = [
            (entry, reason)
            for entry, reason in zip(entries, reasons, strict=True)
            if entry.split == split
        ]
        if all(reason for _, reason in in_split):
            entry, reason = in_split[0]
            result = f"the split {split} is empty" if split else "no videos are left"
            count = len(in_split)
            every = "its only video is" if count == 1 else f"all {count} videos are"
            raise DataError(
                f"{entry.where}: {result}: {every} rejected (this one: {reason})",
                f"all reasons: {rejected_file}",
            )

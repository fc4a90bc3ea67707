"""Find the parts of frame folders that a list gives: a start and a number of frames.

The start in a list is the number in the name of a frame, as in the lists of VideoMAE V2. If a
start of the same list is below the first number of its folder, the list counts from 0 instead. The
start before a label counts from 0, as MMAction2's offset does, unless more rows of the list fit
their folders as numbers of frames. A part that is all of the folder is no part.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decoding.frame_series import FolderFrames, find_frames, group_series
from videomae_cli.data.layouts.list_file import MULTI_LABEL
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.units import plural

COUNT_TOLERANCE = 0.1  # of the frames: flow has one frame less, other programs count a few fewer
MIN_PART = 4  # frames; a smaller number may be a label


class _Range(NamedTuple):
    """Frames of a folder as a list gives them: positions from 0, the end exclusive."""

    start: int
    end: int


def find_frame_parts(
    entries: Sequence[VideoEntry], root: Path
) -> tuple[list[VideoEntry], list[str]]:
    """Return the entries with the parts of their frame folders, and a sentence about these.

    A folder that has fewer frames than the list says is rejected. What is wrong with the folder
    itself is found when it is decoded.

    Raises:
        DataError: The numbers of most rows cannot be a start and a frame count: they may be labels.
    """
    listed = [entry for entry in entries if entry.frames is not None and not entry.rejection]
    folders = {
        entry.path: found
        for entry in listed
        if (found := _find(root / entry.path, entry)) is not None
    }
    from_0 = {
        entry.file
        for entry in listed
        if entry.path in folders
        and entry.start is not None
        and entry.start < folders[entry.path].first
    }
    rows = [entry for entry in listed if entry.path in folders and entry.segment is not None]
    numbered = {file for file in {row.file for row in rows} if _are_numbers(file, rows, folders)}
    from_0 |= {row.file for row in rows} - numbered
    parts = {
        number: _find_part(entry, folders[entry.path], counts_from_0=entry.file in from_0)
        for number, entry in enumerate(entries)
        if entry.path in folders and entry.frames is not None
    }
    _check_parts([entries[number] for number in parts], list(parts.values()), folders)
    result = [
        _add_part(entry, parts[number], folders[entry.path]) if number in parts else entry
        for number, entry in enumerate(entries)
    ]
    return result, [*_describe(result, folders), *_explain_offsets(rows, folders, numbered)]


def _find(path: Path, entry: VideoEntry) -> FolderFrames | None:
    """Return the frames of a folder; None if there is none, or it is wrong."""
    if entry.segment is not None and path.is_file():
        raise DataError(
            f"{entry.where}: {entry.path!r} is a file, and the list gives a start and a frame "
            "count, as for folders of frames",
            f"if the numbers are labels: {MULTI_LABEL}; else write `path label`",
        )
    if not path.is_dir():
        return None
    try:
        return find_frames(path)
    except DataError:
        return None


def _find_part(entry: VideoEntry, found: FolderFrames, *, counts_from_0: bool) -> _Range | None:
    """Return the frames that a row takes, perhaps outside of the folder; None for all of them."""
    count = len(found.names)
    part = _to_positions(entry, found, counts_from_0=counts_from_0)
    is_whole = part.end - part.start == count and part.start in (0, 1, found.first)
    return None if is_whole else part


def _check_parts(
    entries: Sequence[VideoEntry],
    parts: Sequence[_Range | None],
    folders: Mapping[str, FolderFrames],
) -> None:
    """Raise a DataError if most rows take hardly any frames, or frames that are not there."""
    wrong = []
    for entry, part in zip(entries, parts, strict=True):
        count = len(folders[entry.path].names)
        if part is None:
            continue
        if entry.start is None and entry.segment is None:
            is_wrong = part.end < (1 - COUNT_TOLERANCE) * count
        else:
            is_wrong = part.end > count or part.end - part.start < MIN_PART
        wrong += [entry] if is_wrong else []
    if 2 * len(wrong) > len(entries):
        first = wrong[0]
        raise DataError(
            f"{first.where}: {first.path!r} has {plural(len(folders[first.path].names), 'frame')}; "
            f"for this and {len(wrong) - 1} of {len(entries)} rows, the numbers after the path are "
            "not the frame count, or a start and a frame count",
            f"if the numbers are labels: {MULTI_LABEL}; if they are a start and a frame count: "
            "--layout list-start-frames",
        )


def _add_part(entry: VideoEntry, part: _Range | None, found: FolderFrames) -> VideoEntry:
    count = len(found.names)
    if part is None:
        return entry._replace(segment=None)
    if part.start < 0 or part.end <= part.start or part.end > count:
        start = entry.start if entry.start is not None else part.start
        return entry._replace(
            rejection=f"the list gives {plural(entry.frames or 0, 'frame')}"
            f"{f' from {start}' if start else ''}, "
            f"the folder has {count} from {found.first}"
        )
    return entry._replace(frames=None, start=None, segment=Segment(*part, "frames"))


def _to_positions(entry: VideoEntry, found: FolderFrames, *, counts_from_0: bool) -> _Range:
    start, frames = _start_of(entry), entry.frames or 0
    if start is None:
        return _Range(0, frames)
    if counts_from_0:
        return _Range(start, start + frames)
    step = group_series(found.names)[0].step
    position, rest = divmod(start - found.first, step)
    return _Range(-1, -1) if rest else _Range(position, position + frames)


def _start_of(entry: VideoEntry) -> int | None:
    """Return the start that a list gives; before a label it is the start of a segment."""
    return entry.start if entry.segment is None else int(entry.segment.start)


def _are_numbers(
    file: Path | None, rows: Sequence[VideoEntry], folders: Mapping[str, FolderFrames]
) -> bool:
    """Return whether the starts before the labels of a list are the numbers of frames.

    They are if none is below the first number of its folder, and more parts are in their folders
    than if they counted from 0.
    """
    fits = [0, 0]
    for row in (row for row in rows if row.file == file):
        found = folders[row.path]
        for counts_from_0 in (False, True):
            start, end = _to_positions(row, found, counts_from_0=counts_from_0)
            if start < 0 and not counts_from_0 and (_start_of(row) or 0) < found.first:
                return False
            fits[counts_from_0] += 0 <= start <= end <= len(found.names)
    return fits[0] > fits[1]


def _explain_offsets(
    rows: Sequence[VideoEntry],
    folders: Mapping[str, FolderFrames],
    numbered: Collection[Path | None],
) -> list[str]:
    """Return how starts before labels were read, unless a list with a 0 leaves no doubt."""
    sentences = []
    for file in dict.fromkeys(row.file for row in rows):
        inside = [row for row in rows if row.file == file]
        first = min(folders[row.path].first for row in inside)
        if file in numbered:
            sentences.append(f"{file}: the starts are the numbers of frames, not counted from 0")
        elif first > 0 and all((_start_of(row) or 0) >= first for row in inside):
            sentences.append(
                f"{file}: the starts before the labels count frames from 0, as in MMAction2; if "
                f"they are the numbers of frames, subtract {first} from each"
            )
    return sentences


def _describe(entries: Sequence[VideoEntry], folders: Mapping[str, FolderFrames]) -> list[str]:
    parts = [e for e in entries if e.path in folders and e.segment and not e.rejection]
    if not parts:
        return []
    first, segment = parts[0], parts[0].segment
    assert segment is not None and segment.end is not None, "parts of folders have both"
    names = folders[first.path].names
    return [
        f"{len(parts):,} of {len(entries):,} rows {'is' if len(parts) == 1 else 'are'} a part of a "
        f"folder of frames: {first.path} "
        f"from {names[int(segment.start)]} to {names[int(segment.end) - 1]}"
    ]

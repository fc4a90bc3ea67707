"""Find the parts of frame folders that a list gives: a start and a number of frames.

The start in a list is the number in the name of a frame, as in the lists of VideoMAE V2. If a
start of the same list is below the first number of its folder, the list counts from 0 instead. A
part that is all of the folder is no part.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decoding.frame_series import FolderFrames, find_frames
from videomae_cli.data.layouts.list_file import MULTI_LABEL
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError

COUNT_TOLERANCE = 0.1  # of the frames: flow has one frame less, other programs count a few fewer


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
        DataError: The frame counts without a start are far below those of most folders.
    """
    folders = {
        entry.path: found
        for entry in entries
        if _gives_frames(entry) and (found := _find(root / entry.path)) is not None
    }
    from_0 = {
        entry.file
        for entry in entries
        if entry.path in folders
        and entry.start is not None
        and entry.start < folders[entry.path].first
    }
    _check_counts(entries, folders)
    result = [
        _add_part(entry, folders[entry.path], counts_from_0=entry.file in from_0)
        if entry.path in folders
        else entry
        for entry in entries
    ]
    return result, _describe(result, folders)


def _gives_frames(entry: VideoEntry) -> bool:
    is_part = entry.segment is not None and entry.segment.unit == "frames"
    return (entry.frames is not None or is_part) and not entry.rejection


def _find(folder: Path) -> FolderFrames | None:
    if not folder.is_dir():
        return None
    try:
        return find_frames(folder)
    except DataError:
        return None


def _check_counts(entries: Sequence[VideoEntry], folders: Mapping[str, FolderFrames]) -> None:
    """Raise a DataError if most counts are too small to be frame counts: they may be labels."""
    counted = [e for e in entries if e.path in folders and e.frames is not None and e.start is None]
    wrong = [
        entry
        for entry in counted
        if (entry.frames or 0) < (1 - COUNT_TOLERANCE) * len(folders[entry.path].names)
    ]
    if 2 * len(wrong) > len(counted):
        first = wrong[0]
        raise DataError(
            f"{first.where}: {first.path!r} has {len(folders[first.path].names)} frames, not "
            f"{first.frames}, and {len(wrong)} of {len(counted)} counts are too small: the number "
            "after the path is not the frame count",
            f"if the numbers are labels: {MULTI_LABEL}; if they are a start and a frame count: "
            "--layout list-start-frames",
        )


def _add_part(entry: VideoEntry, found: FolderFrames, *, counts_from_0: bool) -> VideoEntry:
    count = len(found.names)
    if entry.segment is not None:
        end = count if entry.segment.end is None else int(entry.segment.end)
        part = _Range(int(entry.segment.start), end)
    else:
        part = _to_positions(entry, found, counts_from_0=counts_from_0)
    listed = part.end - part.start
    if listed == count and part.start in (0, 1, found.first):
        return entry._replace(segment=None)
    if part.start < 0 or listed < 1 or part.end > count:
        given = f"{entry.frames if entry.frames is not None else listed} frames"
        start = entry.start if entry.start is not None else part.start
        return entry._replace(
            rejection=f"the list gives {given}{f' from {start}' if start else ''}, the folder has "
            f"{count} from {found.first}"
        )
    return entry._replace(frames=None, start=None, segment=Segment(*part, "frames"))


def _to_positions(entry: VideoEntry, found: FolderFrames, *, counts_from_0: bool) -> _Range:
    frames = entry.frames or 0
    if entry.start is None:
        return _Range(0, frames)
    if counts_from_0:
        return _Range(entry.start, entry.start + frames)
    start, rest = divmod(entry.start - found.first, found.step)
    return _Range(-1, -1) if rest else _Range(start, start + frames)


def _describe(entries: Sequence[VideoEntry], folders: Mapping[str, FolderFrames]) -> list[str]:
    parts = [e for e in entries if e.path in folders and e.segment and not e.rejection]
    if not parts:
        return []
    first, segment = parts[0], parts[0].segment
    assert segment is not None and segment.end is not None, "parts of folders have both"
    names = folders[first.path].names
    return [
        f"{len(parts):,} of {len(entries):,} rows are a part of a folder of frames: {first.path} "
        f"from {names[int(segment.start)]} to {names[int(segment.end) - 1]}"
    ]

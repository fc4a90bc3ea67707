"""Layouts `list-*`: text without a header, one video per line, numbers after the path.

    list-paths          path                  plain list
    list-label          path label            VideoMAE, MMAction2 (videos)
    list-frames-label   path frames label     VideoMAE V2 fine-tuning, MMAction2 (raw frames)
    list-start-frames   path start frames     VideoMAE V2 pre-training; `path 0 -1` is a video

Columns are parted by blanks and counted from the right, so a path may hold spaces. As in the
originals `.mp4` is added to a path whose last part has no dot, in list-label and list-start-frames.
Different here: `frames` is not believed, prepare counts. Folders of frames are rejected so far.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.entry import (
    ENDINGS,
    Entry,
    Layout,
    empty_list,
    list_files,
    split_in_name,
)
from videomae_cli.data.manifest import ENCODING_ERRORS
from videomae_cli.errors import DataError

WHOLE_FILE = (0, -1)  # what V2 writes after the path of a video file
SAMPLE_LINES = 2000  # enough to tell the kinds apart
LAST_NUMBER = re.compile(r"(.*\S)\s+(-?[0-9]+)")


class Kind(NamedTuple):
    """One kind of list: how many numbers stand after the path, and what they mean."""

    columns: str
    numbers: int
    fits: Callable[[Sequence[Sequence[int]]], bool]
    read: Callable[[str, Sequence[int]], tuple[str, int | None, str]]


def layout(kind: Kind) -> Layout:
    """Return the layout that recognises and scans one kind of list."""

    def recognise(source: Path) -> str:
        files = list_files(source, lambda path: _is_kind(path, kind, source))
        names = " and ".join(path.name for path in files)
        return f"{names}: lines of `{kind.columns}` without a header" if files else ""

    def scan(source: Path) -> Iterator[Entry]:
        files = list_files(source, lambda path: source.is_file() or _is_kind(path, kind, source))
        for path in files:
            yield from _scan_file(path, kind)

    return Layout(recognise, scan)


def _is_kind(path: Path, kind: Kind, source: Path) -> bool:
    """Whether most lines have the numbers, and paths that look like paths, and the values fit."""
    lines = [_split(text, kind.numbers) for _, text in islice(_lines(path), SAMPLE_LINES)]
    fitting = [(video, numbers) for video, numbers in lines if len(numbers) == kind.numbers]
    if kind.numbers == 0:
        fitting = [line for line in fitting if Path(line[0]).suffix.lower() in ENDINGS]
    elif source.is_dir():  # a file that the user names needs no proof
        fitting = [line for line in fitting if _looks_like_path(line[0], kind, source)]
    if not fitting or 2 * len(fitting) <= len(lines):
        return False
    return kind.fits([numbers for _, numbers in fitting])


def _looks_like_path(text: str, kind: Kind, folder: Path) -> bool:
    if Path(text).suffix.lower() in ENDINGS or "/" in text:
        return True
    # a folder counts only where it may hold frames: `running 0` can be a list of classes
    return (folder / _mp4(text)).is_file() or (kind.numbers > 1 and (folder / text).is_dir())


def _scan_file(path: Path, kind: Kind) -> Iterator[Entry]:
    is_empty = True
    for line, text in _lines(path):
        is_empty = False
        video, numbers = _split(text, kind.numbers)
        if len(numbers) < kind.numbers:
            raise DataError(f"{path}:{line}: {text!r} is not `{kind.columns}`")
        video, label, reject = kind.read(video, numbers)
        yield Entry(video, label, split_in_name(path.name), path, line, reject=reject)
    if is_empty:
        raise empty_list(path)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors=ENCODING_ERRORS) as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, text.strip()


def _split(text: str, numbers: int) -> tuple[str, list[int]]:
    """Cut up to so many whole numbers off the end of a line."""
    tail: list[int] = []
    while len(tail) < numbers:
        found = LAST_NUMBER.fullmatch(text)
        if found is None:
            break
        text = found[1]
        tail.insert(0, int(found[2]))
    return text, tail


def _mp4(path: str) -> str:
    return path if "." in path.rstrip("/").rpartition("/")[2] else f"{path}.mp4"


def _read_start_frames(path: str, numbers: Sequence[int]) -> tuple[str, int | None, str]:
    if tuple(numbers) == WHOLE_FILE:
        return _mp4(path), None, ""
    start, frames = numbers
    reason = f"a folder of frames (start {start}, {frames} frames): not supported yet; encode it"
    return path, None, f"{reason} as a video and write `path 0 -1`"


def _are_starts(sample: Sequence[Sequence[int]]) -> bool:
    # a frame count of 0 or 1 makes no sense, a first frame number of 0 or 1 is the rule
    return all(numbers[0] in (0, 1) for numbers in sample) or any(n[1] == -1 for n in sample)


START_FRAMES = Kind("path start frames", 2, _are_starts, _read_start_frames)
FRAMES_LABEL = Kind(
    "path frames label",
    2,
    lambda sample: not _are_starts(sample),
    lambda path, row: (path, row[1], ""),
)
LABEL = Kind("path label", 1, lambda sample: True, lambda path, row: (_mp4(path), row[0], ""))
PATHS = Kind("path", 0, lambda sample: True, lambda path, row: (path, None, ""))

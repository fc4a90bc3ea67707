"""Layouts `list-*`: text without a header, one video per line, with numbers after the path.

    list-paths          path                  plain list
    list-label          path label            VideoMAE, MMAction2 (videos)
    list-frames-label   path frames label     VideoMAE V2 fine-tuning, MMAction2 (raw frames)
    list-start-frames   path start frames     VideoMAE V2 pre-training; `path 0 -1` is a video

Columns are separated by blanks and counted from the right, so a path may contain spaces. In
list-label and list-start-frames, `.mp4` is added to a path whose last part has no dot, as in the
originals. Deliberately different: `frames` is ignored, because prepare counts the frames.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES, empty_list_error, find_lists
from videomae_cli.data.layouts.split_names import find_split_in_name
from videomae_cli.data.layouts.video_entry import Layout, VideoEntry
from videomae_cli.data.manifest import ENCODING_ERRORS
from videomae_cli.errors import DataError

WHOLE_FILE = (0, -1)  # start and frames that V2 writes after the path of a video file
SAMPLE_LINES = 2000  # lines that are read to recognise a format
LAST_NUMBER = re.compile(r"(.*\S)\s+(-?[0-9]+)")


class ListFormat(NamedTuple):
    """One format of lists."""

    columns: str
    """Names of the columns, for messages."""
    numbers: int
    """How many numbers follow the path."""
    fits: Callable[[Sequence[Sequence[int]]], bool]
    """Called with the numbers of several lines; returns whether they can have this meaning."""
    read: Callable[[str, Sequence[int]], tuple[str, int | None, str]]
    """Called with the path and the numbers of a line; returns path, label and rejection."""


def list_layout(list_format: ListFormat) -> Layout:
    """Return the layout that recognises and scans lists of one format."""

    def recognise(source: Path) -> str:
        lists = find_lists(source, lambda path: _has_format(path, list_format, source))
        names = " and ".join(path.name for path in lists)
        return f"{names}: lines of `{list_format.columns}` without a header" if lists else ""

    def scan(source: Path) -> Iterator[VideoEntry]:
        lists = find_lists(
            source, lambda path: source.is_file() or _has_format(path, list_format, source)
        )
        for path in lists:
            yield from _scan_file(path, list_format)

    return Layout(recognise, scan)


def _has_format(path: Path, list_format: ListFormat, source: Path) -> bool:
    """Return whether most lines have the numbers and a plausible path, and the values fit."""
    lines = [
        _split_numbers(text, list_format.numbers) for _, text in islice(_lines(path), SAMPLE_LINES)
    ]
    fitting = [line for line in lines if len(line[1]) == list_format.numbers]
    if list_format.numbers == 0:
        fitting = [line for line in fitting if Path(line[0]).suffix.lower() in VIDEO_SUFFIXES]
    elif source.is_dir():  # a file given by the user is a list; a file in a folder may be another
        fitting = [line for line in fitting if _looks_like_path(line[0], list_format, source)]
    if not fitting or 2 * len(fitting) <= len(lines):
        return False
    return list_format.fits([numbers for _, numbers in fitting])


def _looks_like_path(text: str, list_format: ListFormat, folder: Path) -> bool:
    if Path(text).suffix.lower() in VIDEO_SUFFIXES or "/" in text:
        return True
    # a folder counts only in formats with frames: `running 0` can be a list of classes
    is_video = (folder / _add_mp4(text)).is_file()
    return is_video or (list_format.numbers > 1 and (folder / text).is_dir())


def _scan_file(path: Path, list_format: ListFormat) -> Iterator[VideoEntry]:
    lines = list(_lines(path))
    if not lines:
        raise empty_list_error(path)
    for line, text in lines:
        video, numbers = _split_numbers(text, list_format.numbers)
        if len(numbers) < list_format.numbers:
            raise DataError(f"{path}:{line}: {text!r} is not `{list_format.columns}`")
        video, label, rejection = list_format.read(video, numbers)
        split = find_split_in_name(path.name)
        yield VideoEntry(video, label, split, path, line, rejection=rejection)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors=ENCODING_ERRORS) as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, text.strip()


def _split_numbers(text: str, count: int) -> tuple[str, list[int]]:
    """Split up to `count` integers off the end of a line."""
    numbers: list[int] = []
    while len(numbers) < count:
        match = LAST_NUMBER.fullmatch(text)
        if match is None:
            break
        text = match[1]
        numbers.insert(0, int(match[2]))
    return text, numbers


def _add_mp4(path: str) -> str:
    return path if "." in path.rstrip("/").rpartition("/")[2] else f"{path}.mp4"


def _read_start_frames(path: str, numbers: Sequence[int]) -> tuple[str, int | None, str]:
    if tuple(numbers) == WHOLE_FILE:
        return _add_mp4(path), None, ""
    start, frames = numbers
    reason = f"a folder of frames (start {start}, {frames} frames): not supported yet; encode it"
    return path, None, f"{reason} as a video and write `path 0 -1`"


def _are_starts(sample: Sequence[Sequence[int]]) -> bool:
    # a frame count of 0 or 1 makes no sense, a first frame number of 0 or 1 is usual
    return all(numbers[0] in (0, 1) for numbers in sample) or any(n[1] == -1 for n in sample)


START_FRAMES = ListFormat("path start frames", 2, _are_starts, _read_start_frames)
FRAMES_LABEL = ListFormat(
    "path frames label",
    2,
    lambda sample: not _are_starts(sample),
    lambda path, numbers: (path, numbers[1], ""),
)
LABEL = ListFormat(
    "path label", 1, lambda sample: True, lambda path, numbers: (_add_mp4(path), numbers[0], "")
)
PATHS = ListFormat("path", 0, lambda sample: True, lambda path, numbers: (path, None, ""))

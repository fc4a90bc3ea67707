"""Layouts `list-*`: text without a header, one video per line, with fields after the path.

    list-paths          path                  plain list
    list-label          path label            VideoMAE, MMAction2 (videos); the label may be a name
    list-frames-label   path frames label     VideoMAE V2 fine-tuning, MMAction2 (raw frames)
    list-start-frames   path start frames     VideoMAE V2 pre-training; `path 0 -1` is a whole video
    list-start-frames-label    path start frames label    MMAction2 (raw frames with offset)

A field with nothing but names of splits is the split. Frame counts are checked when the videos are
decoded. A start is the number in the name of a frame; before a label, it counts frames from 0.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from videomae_cli.config.model import Task
from videomae_cli.data.layouts.fields import Line, read_lines
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.list_file import (
    MISSING,
    MULTI_LABEL,
    ListFile,
    parse_integer,
    parse_labels,
)
from videomae_cli.data.layouts.split_names import find_split_in_name, parse_split
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading, Segment, VideoEntry
from videomae_cli.errors import DataError

PATHS, LABEL, FRAMES_LABEL = "list-paths", "list-label", "list-frames-label"
START_FRAMES, OFFSET_FRAMES_LABEL = "list-start-frames", "list-start-frames-label"
COLUMNS = {
    PATHS: "path",
    LABEL: "path label",
    FRAMES_LABEL: "path frames label",
    START_FRAMES: "path start frames",
    OFFSET_FRAMES_LABEL: "path start frames label",
}
WITH_LABEL = (LABEL, FRAMES_LABEL, OFFSET_FRAMES_LABEL)
WHOLE_FILE = (0, -1)  # start and frames that V2 writes after the path of a video file


def read_list(path: Path, layout: str | None, reading: Reading) -> ListFile:
    """Read a list without a header; `layout` None detects the meaning of its fields.

    Raises:
        DataError: A line has other fields than the rest, or fields whose meaning is not supported.
    """
    lines = read_lines(path, reading)
    _check_no_header(path, lines)
    split_field = _find_split_field(lines)
    splits = [find_split_in_name(path.name)] * len(lines)
    if split_field is not None:
        splits = [parse_split(line.fields[split_field]) for line in lines]
        lines = [
            line._replace(fields=line.fields[:split_field] + line.fields[split_field + 1 :])
            for line in lines
        ]
    layout = layout or find_list_layout(lines, reading.task)
    if reading.task != "single-label" and layout in (LABEL, FRAMES_LABEL):
        entries = [
            _read_cells(path, line, split, layout)
            for line, split in zip(lines, splits, strict=True)
        ]
        return _make_list(path, layout, entries, reading, has_splits=split_field is not None)
    _check_field_counts(path, lines, layout)
    texts = [line.fields[-1] if layout in WITH_LABEL else "" for line in lines]
    _check_one_field(path, lines, texts)
    labels = parse_labels(texts)
    _check_one_kind(path, lines, labels)
    entries = []
    for line, split, label in zip(lines, splits, labels, strict=True):
        entry = VideoEntry(line.path, label, split, path, line.number)
        entries.append(_add_numbers(entry, layout, line))
    return _make_list(path, layout, entries, reading, has_splits=split_field is not None)


def _make_list(
    path: Path,
    layout: str,
    entries: Sequence[VideoEntry],
    reading: Reading,
    *,
    has_splits: bool,
) -> ListFile:
    shown = COLUMNS[layout] + (" split" if has_splits else "")
    guess = read_text(path, reading.encoding).guess
    return ListFile(path, layout, f"lines of `{shown}` without a header", entries, guess=guess)


def _read_cells(path: Path, line: Line, split: str | None, layout: str) -> VideoEntry:
    """Return the entry of a line with any number of labels or values after the path."""
    where, fields, frames = f"{path}:{line.number}", line.fields, None
    if layout == FRAMES_LABEL:
        frames = parse_integer(fields[0]) if fields else None
        if frames is None:
            raise DataError(f"{where}: no frame count after the path {line.path!r}")
        fields = fields[1:]
    cells = tuple("" if text in MISSING else text for text in fields)
    return VideoEntry(line.path, None, split, path, line.number, frames=frames, cells=cells)


def find_list_layout(lines: Sequence[Line], task: Task = "single-label") -> str:
    """Return the layout that fits the fields of most lines.

    With several labels or values per video, the fields after the path are these, except that a
    list of folders of frames begins with the frame count.
    """
    counts = sorted(len(line.fields) for line in lines)
    usual = counts[len(counts) // 2] if counts else 0
    if usual == 0:
        return PATHS
    if task != "single-label":
        is_file = any(Path(line.path).suffix.lower() in VIDEO_SUFFIXES for line in lines)
        return FRAMES_LABEL if counts[0] > 1 and not is_file and task == "multi-label" else LABEL
    if usual == 1:
        return LABEL
    triples = [line for line in lines if len(_integers(line.fields)) == 3]
    if 2 * len(triples) > len(lines) and not any(map(_is_labelled_file, triples)):
        return OFFSET_FRAMES_LABEL
    pairs = [numbers for line in lines if len(numbers := _integers(line.fields)) == 2]
    if len(pairs) < len(lines) / 2:
        return LABEL
    # a frame count of 0 or 1 makes no sense, a first frame number of 0 or 1 is usual
    is_start = all(first in (0, 1) and second != 0 for first, second in pairs) or any(
        second == -1 for _, second in pairs
    )
    return START_FRAMES if is_start else FRAMES_LABEL


def _find_split_field(lines: Sequence[Line]) -> int | None:
    """Return the number of the only field that contains nothing but names of splits."""
    counts = {len(line.fields) for line in lines}
    if len(counts) != 1:
        return None
    found = [
        field
        for field in range(counts.pop())
        if all(parse_split(line.fields[field]) for line in lines)
    ]
    return found[0] if len(found) == 1 and lines else None


def _check_no_header(path: Path, lines: Sequence[Line]) -> None:
    """Raise a DataError if all paths but the first have the suffix of a video."""
    is_video = [Path(line.path).suffix.lower() in VIDEO_SUFFIXES for line in lines]
    if len(lines) < 2 or "/" in lines[0].path or _integers(lines[0].fields):
        return
    if not is_video[0] and all(is_video[1:]):
        cells = ", ".join(map(repr, (lines[0].path, *lines[0].fields)))
        raise DataError(
            f"{path}:{lines[0].number}: {cells} is not a video, unlike the others: a header?",
            "name the columns: --path-column and --label-column; or remove the line",
        )


def _check_field_counts(path: Path, lines: Sequence[Line], layout: str) -> None:
    expected = COLUMNS[layout].count(" ")
    for line in lines:
        if len(line.fields) != expected:
            raise _fields_error(f"{path}:{line.number}", line, COLUMNS[layout])


def _check_one_field(path: Path, lines: Sequence[Line], texts: Sequence[str]) -> None:
    """Raise a DataError for a name with numbers around it: `run 10 95`, or `0 run`, `1 jump`."""
    for line, text in zip(lines, texts, strict=True):
        if re.search(r"\s-?[\d.]+\s+-?[\d.]+$", text):
            raise _fields_error(f"{path}:{line.number}", line, COLUMNS[LABEL])
    for form in (r"(?P<number>\d+)\s+(?P<name>.*\D.*)", r"(?P<name>.*\D.*)\s(?P<number>\d+)"):
        pairs = {
            found.group("number", "name") for text in texts if (found := re.fullmatch(form, text))
        }
        numbers, names = (set(values) for values in zip(*pairs, strict=True)) if pairs else ((), ())
        if (
            pairs
            and all(re.fullmatch(form, text) for text in texts)
            and (len(numbers) == len(names) == len(pairs) > 1)
        ):
            raise DataError(
                f"{path}:{lines[0].number}: the label {texts[0]!r} is a number and a name",
                "write one of them: `path number` (and --classes), or `path name`",
            )


def _check_one_kind(path: Path, lines: Sequence[Line], labels: Sequence[int | str | None]) -> None:
    """Raise a DataError if a few labels are names among numbers."""
    names = [
        line
        for line, label in zip(lines, labels, strict=True)
        if isinstance(label, str) and not _is_number(label)
    ]
    if names and 2 * len(names) < len(lines):
        line = names[0]
        raise DataError(
            f"{path}:{line.number}: label {line.fields[-1]!r} is a name, but most are numbers",
            "use numbers for all labels, or names for all labels",
        )


def _add_numbers(entry: VideoEntry, layout: str, line: Line) -> VideoEntry:
    """Return an entry with the number of its first frame, and how many there are, if given."""
    if layout in (PATHS, LABEL):
        return entry
    numbers = _integers(line.fields[:2])
    if len(numbers) != 2:
        raise _fields_error(entry.where, line, COLUMNS[layout])
    start, frames = numbers
    if layout == FRAMES_LABEL:
        return entry._replace(frames=start)
    if (start, frames) == WHOLE_FILE:
        return entry
    if Path(line.path).suffix.lower() in VIDEO_SUFFIXES:
        raise DataError(
            f"{entry.where}: {start} and {frames} after the path are two labels, or a part of the "
            "video, which is not supported yet",
            f"if they are labels: {MULTI_LABEL}; else write `path label`, or `path 0 -1` for whole "
            f"videos, or give --layout {FRAMES_LABEL} if they are a frame count and a label",
        )
    if layout == OFFSET_FRAMES_LABEL:
        return entry._replace(frames=frames, segment=Segment(start, start + frames, "frames"))
    return entry._replace(start=start, frames=frames)


def _fields_error(where: str, line: Line, columns: str) -> DataError:
    fields = ", ".join(map(repr, line.fields)) or "nothing"
    several = len(line.fields) > 1
    advice = f"if they are labels: {MULTI_LABEL}; else " if several else ""
    return DataError(
        f"{where}: {fields} after the path {line.path!r}, but this is a list of `{columns}`"
        + (": several labels per video?" if several else ""),
        f"{advice}write the same fields in all lines; if the first line names the columns, name "
        "them: --path-column and --label-column",
    )


def _integers(fields: Sequence[str]) -> list[int]:
    values = [parse_integer(field) for field in fields]
    return [value for value in values if value is not None]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]*\.?[0-9]+", text) is not None


def _is_labelled_file(line: Line) -> bool:
    """Return whether the numbers after the path of a video file are labels."""
    is_file = Path(line.path).suffix.lower() in VIDEO_SUFFIXES
    return is_file and tuple(_integers(line.fields[:2])) != WHOLE_FILE

"""The meaning of the columns of a table, from their names."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.split_names import find_split_in_name, names_a_split, parse_split
from videomae_cli.data.layouts.video_entry import Reading

# fmt: off
PATHS = (
    "path", "video_path", "filepath", "file_path", "file", "filename", "file_name", "video",
    "video_name", "video_file", "videos", "clip", "clip_path", "clip_name", "vid_name", "rel_path",
    "relative_path", "full_path", "video_filename", "frames_path", "frame_dir", "frames_folder",
)
IDS = ("video_id", "youtube_id", "id", "vid", "uid", "clip_id", "name", "stem")
LABELS = (
    "label", "class", "category", "action", "activity", "target", "label_id", "class_id", "labels",
    "classes", "gesture", "class_label", "action_label", "class_idx", "class_index", "label_idx",
    "label_index", "action_id", "y",
)
NAMES = (
    "label_name", "class_name", "category_name", "action_name", "label_text", "class_text",
    "label_names", "classname", "labelname",
)
SPLITS = ("split", "subset", "set", "partition", "phase", "usage")
# fmt: on
INDEX = ("", "index", "idx", "unnamed:_0", "#", "no", "no.", "row")
_TIME = r"(start|end|begin|stop|onset|offset|from|to)"
_UNIT = r"(time|times|timestamp|sec|secs|second|seconds|frame|frames|ms|s|idx|index)"
_OF = r"(t_?|(clip|segment|seg|action|event|video|label|gt)_)"
TIMES = re.compile(rf"{_OF}?{_TIME}(_?{_UNIT})?|{_UNIT}_?{_TIME}|t[01]|segments?|timestamps?")


class Columns(NamedTuple):
    """The columns of a table: their numbers, from 0; None if there is no such column."""

    header: tuple[str, ...]
    path: int
    label: int | None
    name: int | None
    split: int | None
    labels: tuple[int, ...] = ()
    """The columns of a task with several labels or values per video; `label` is then None."""
    times: tuple[int, ...] = ()
    """The columns with the start and the end of the part of a file that is the video."""

    @property
    def used(self) -> tuple[int, ...]:
        """Return the numbers of the columns that are read."""
        numbers = (self.path, self.label, self.name, self.split, *self.labels, *self.times)
        return tuple(number for number in numbers if number is not None)

    @property
    def unused(self) -> tuple[str, ...]:
        """Return the names of the other columns."""
        return tuple(
            name or f"(column {number + 1}, without a name)"
            for number, name in enumerate(self.header)
            if number not in self.used
        )


def normalize(name: str) -> str:
    """Return a column name in lower case, with underscores for blanks, dots and hyphens."""
    return re.sub(r"[\s.-]+", "_", name.strip().strip("\"'").strip().lower())


def remove_brackets(name: str) -> str:
    """Return a name without brackets, which enclose a unit: `start_(s)`."""
    return re.sub(r"[()\[\]]", "", name)


def find_columns(header: Sequence[str], reading: Reading) -> Columns | None:
    """Return the columns of a header; None if no column contains paths.

    A column that the user names need not be there: the list of a test set may have no labels.
    """
    names = [normalize(cell) for cell in header]
    numbers = {name: number for number, name in reversed(list(enumerate(names)))}
    label = _find(numbers, LABELS)
    name = _find(numbers, NAMES)
    split = _find(numbers, SPLITS)
    path = _find(numbers, PATHS)
    if path is None and (len(names) == 1 or (label, name, split) != (None, None, None)):
        path = _find(numbers, IDS)
    if reading.path_column is not None:
        path = _find_given(reading.path_column, names, header)
    if reading.split_column is not None:
        split = _find_given(reading.split_column, names, header)
    given = [_find_given(column, names, header) for column in reading.label_columns]
    if given:
        label, name = given[0], None
    elif label is None:
        label, name = name, None
    if path is None:
        return None
    if reading.task == "single-label":
        return Columns(tuple(header), path, label, name, split)
    labels = tuple(number for number in given or [label] if number is not None)
    return Columns(tuple(header), path, None, None, split, labels)


def find_path_column(first: Sequence[str], suffixes: Collection[str]) -> int | None:
    """Return the only column whose cell in the first row is the path of a video."""
    found = [n for n, cell in enumerate(first) if Path(cell.strip()).suffix.lower() in suffixes]
    return found[0] if len(found) == 1 else None


def is_header(header: Sequence[str]) -> bool:
    """Return whether all names of a first line are known; needed if blanks separate them."""
    known = {*PATHS, *IDS, *LABELS, *NAMES, *SPLITS, *INDEX}
    return all(normalize(name) in known for name in header)


def find_split_column(columns: Columns, rows: Sequence[Sequence[str]]) -> int | None:
    """Return the only unused column that contains nothing but names of splits."""
    found = [
        number
        for number in range(len(columns.header))
        if number not in columns.used and rows and all(parse_split(row[number]) for row in rows)
    ]
    return found[0] if len(found) == 1 else None


def find_time_columns(columns: Columns, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of unused columns that select a part of each video."""
    return [
        name
        for number, name in enumerate(columns.header)
        if number not in columns.used
        and TIMES.fullmatch(remove_brackets(normalize(name)))
        and any(row[number].strip() not in ("", "0", "0.0", "-1") for row in rows)
    ]


def find_split_hints(columns: Columns, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of unused columns that speak of a split, as `fold`, or in their cells."""
    cells = {name: {row[n] for row in rows} for n, name in enumerate(columns.header)}
    return [
        name
        for name in columns.unused
        if names_a_split(name) or _are_splits(cells.get(name, set()))
    ]


def _are_splits(cells: set[str]) -> bool:
    """Return whether cells are a few values such as `train1`, `test set`, and not only one."""
    found = [cell for cell in cells if find_split_in_name(cell)]
    return len(cells) > 1 and 2 * len(found) >= len(cells - {""})


def find_one_hot(columns: Columns, rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the numbers of two or more unused columns that contain only 0 and 1, both of them."""
    found = [
        number
        for number, name in enumerate(columns.header)
        if name in columns.unused and {row[number].strip() for row in rows} == {"0", "1"}
    ]
    return found if len(found) > 1 else []


def _find(numbers: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((numbers[name] for name in names if name in numbers), None)


def _find_given(wanted: str, names: Sequence[str], header: Sequence[str]) -> int | None:
    exact = [number for number, name in enumerate(header) if name.strip() == wanted.strip()]
    similar = [number for number, name in enumerate(names) if name == normalize(wanted)]
    return next(iter([*exact, *similar]), None)

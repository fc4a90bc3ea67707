"""Layout `table`: CSV or TSV with a header, one row per video.

Labels are numbers or names; `label_name` (`class_name`, ...) names numeric labels. `split` is
optional; without it, the splits are taken from the names of the lists. Other columns are ignored.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import empty_list_error, find_lists
from videomae_cli.data.layouts.split_names import SPLIT_NAMES, find_split_in_name, parse_split
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import ENCODING_ERRORS
from videomae_cli.errors import DataError

# fmt: off
PATHS = (
    "path", "video_path", "filepath", "file_path", "file", "filename", "file_name", "video",
    "video_name", "clip", "clip_path",
)
LABELS = ("label", "class", "category", "action", "activity", "target", "label_id", "class_id")
NAMES = ("label_name", "class_name", "category_name", "action_name")
SPLITS = ("split", "subset", "set", "partition")
# fmt: on
DELIMITERS = ",\t; "


class Columns(NamedTuple):
    """The columns of a table: their numbers, from 0; None if there is no such column."""

    delimiter: str
    header: tuple[str, ...]
    path: int
    label: int | None
    name: int | None
    split: int | None


def recognise(source: Path) -> str:
    """Describe the columns of the tables of a source; return "" if there is no table."""
    tables = find_lists(source, lambda path: read_header(path) is not None)
    columns = next(filter(None, map(read_header, tables)), None)
    if columns is None:
        return ""
    numbers = (columns.path, columns.label, columns.name, columns.split)
    used = ", ".join(columns.header[number] for number in numbers if number is not None)
    return f"{' and '.join(path.name for path in tables)}: a header with {used}"


def scan(source: Path) -> Iterator[VideoEntry]:
    """List the rows of all tables of a source; a DataError names the line of a wrong row."""
    for path in find_lists(source, lambda path: read_header(path) is not None):
        columns = read_header(path)
        assert columns is not None, "find_lists returned a file without a header"
        rows = list(_rows(path, columns))
        if not rows:
            raise empty_list_error(path)
        is_numbered = all(text.removeprefix("-").isdecimal() for _, text, _ in rows)
        for line, text, cells in rows:
            label = int(text) if is_numbered else text or None
            yield _complete(VideoEntry("", label, None, path, line), cells, columns)


def read_header(path: Path) -> Columns | None:
    """Return the columns of a table, or None if its first line is not a header with a path."""
    with path.open(encoding="utf-8-sig", errors=ENCODING_ERRORS, newline="") as file:
        first = file.readline(4096).strip()
    found = (_find_columns(first, delimiter) for delimiter in DELIMITERS)
    return next(filter(None, found), None)


def _find_columns(first: str, delimiter: str) -> Columns | None:
    header = [cell.strip(" \"'") for cell in first.split(delimiter)]
    numbers = {cell.lower().replace(" ", "_"): number for number, cell in enumerate(header)}
    path = _find_column(numbers, PATHS)
    known = {*PATHS, *LABELS, *NAMES, *SPLITS}
    if path is None or (delimiter == " " and not set(numbers) <= known):
        return None
    label, name = _find_column(numbers, LABELS), _find_column(numbers, NAMES)
    if label is None:
        label, name = name, None
    return Columns(delimiter, tuple(header), path, label, name, _find_column(numbers, SPLITS))


def _find_column(numbers: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((numbers[name] for name in names if name in numbers), None)


def _rows(path: Path, columns: Columns) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, label text and cells of each row that is not blank."""
    with path.open(encoding="utf-8-sig", errors=ENCODING_ERRORS, newline="") as file:
        reader = csv.reader(file, delimiter=columns.delimiter, skipinitialspace=True, strict=True)
        try:
            next(reader)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                where = f"{path}:{reader.line_num}"
                if len(cells) != len(columns.header):
                    raise DataError(
                        f"{where}: {len(cells)} cells, but the header has {len(columns.header)}",
                        "put quotes around a path that contains the delimiter",
                    )
                label = "" if columns.label is None else cells[columns.label].strip()
                if columns.label is not None and not label:
                    raise DataError(f"{where}: no label", "label all rows or none")
                yield reader.line_num, label, cells
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _complete(entry: VideoEntry, cells: Sequence[str], columns: Columns) -> VideoEntry:
    path = cells[columns.path]
    if not path.strip():
        raise DataError(f"{entry.where}: no path")
    split = find_split_in_name(entry.file.name)
    if columns.split is not None:
        split = parse_split(cells[columns.split])
        if split is None:
            raise DataError(
                f"{entry.where}: split {cells[columns.split]!r} is not one of "
                + ", ".join(SPLIT_NAMES)
            )
    name = "" if columns.name is None else cells[columns.name].strip()
    if isinstance(entry.label, int) and columns.name is not None and not name:
        raise DataError(f"{entry.where}: label {entry.label} has no name")
    return entry._replace(path=path, split=split, class_name=name)

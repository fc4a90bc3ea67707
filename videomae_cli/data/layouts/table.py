"""Layout `table`: CSV or TSV with a header, one row per video.

The path stands under `path`, `file`, `video`, ...; the label under `label`, `class`, ... as a
number or a name; with numbers, `label_name` (`class_name`, ...) names them; `split` is optional.
Without it, lists named train, val and test say it by their names. Quotes, commas and spaces in
paths are honoured. Other columns are not used.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.entry import (
    SPLIT_WORDS,
    Entry,
    empty_list,
    list_files,
    split_in_name,
    split_of,
)
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
    """Where in a row to look: places counted from 0, None where there is no such column."""

    delimiter: str
    header: tuple[str, ...]
    path: int
    label: int | None
    name: int | None
    split: int | None

    @property
    def used(self) -> str:
        """Return the names of the columns that are used."""
        places = (self.path, self.label, self.name, self.split)
        return ", ".join(self.header[place] for place in places if place is not None)


def recognise(source: Path) -> str:
    """Say which columns were found, or "" if no table lies here."""
    files = list_files(source, lambda path: read_header(path) is not None)
    for path in files:
        columns = read_header(path)
        if columns is not None:
            names = " and ".join(path.name for path in files)
            return f"{names}: a header with {columns.used}"
    return ""


def scan(source: Path) -> Iterator[Entry]:
    """List the rows of all tables here.

    Raises:
        DataError: A row is damaged, has no path, no label or an unknown split; a table is empty.
    """
    for path in list_files(source, lambda path: read_header(path) is not None):
        columns = read_header(path)
        assert columns is not None, "list_files kept a file without a header"
        rows = list(_rows(path, columns))
        if not rows:
            raise empty_list(path)
        is_numbered = all(_is_number(row[1]) for row in rows)
        for line, label, cells in rows:
            yield _entry(cells, columns, Entry("", _label(label, is_numbered), None, path, line))


def read_header(path: Path) -> Columns | None:
    """Return the columns of a table, or None if its first line is no header with a path."""
    with path.open(encoding="utf-8-sig", errors=ENCODING_ERRORS, newline="") as file:
        first = file.readline(4096).strip()
    for delimiter in DELIMITERS:
        header = [cell.strip(" \"'") for cell in first.split(delimiter)]
        columns = _columns(header, delimiter)
        if columns is not None:
            return columns
    return None


def _columns(header: Sequence[str], delimiter: str) -> Columns | None:
    places = {cell.lower().replace(" ", "_"): place for place, cell in enumerate(header)}
    path = _first(places, PATHS)
    known = {*PATHS, *LABELS, *NAMES, *SPLITS}
    if path is None or (delimiter == " " and not set(places) <= known):
        return None
    label, name = _first(places, LABELS), _first(places, NAMES)
    if label is None:
        label, name = name, None
    return Columns(delimiter, tuple(header), path, label, name, _first(places, SPLITS))


def _first(places: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((places[name] for name in names if name in places), None)


def _rows(path: Path, columns: Columns) -> Iterator[tuple[int, str, list[str]]]:
    """Yield (line, label text, cells) of each row that is not blank."""
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
                        f"{where}: {len(cells)} cells, the header has {len(columns.header)}",
                        "put quotes around a path that holds the delimiter",
                    )
                label = "" if columns.label is None else cells[columns.label].strip()
                if columns.label is not None and not label:
                    raise DataError(f"{where}: no label", "label every row or none")
                yield reader.line_num, label, cells
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _entry(cells: Sequence[str], columns: Columns, start: Entry) -> Entry:
    path = cells[columns.path]
    if not path.strip():
        raise DataError(f"{start.where}: no path")
    split = split_in_name(start.file.name)
    if columns.split is not None:
        split = split_of(cells[columns.split])
        if split is None:
            raise DataError(
                f"{start.where}: split {cells[columns.split]!r} is not one of "
                + ", ".join(SPLIT_WORDS)
            )
    name = "" if columns.name is None else cells[columns.name].strip()
    if isinstance(start.label, int) and columns.name is not None and not name:
        raise DataError(f"{start.where}: label {start.label} has no name")
    return start._replace(path=path, split=split, name=name)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _label(text: str, is_numbered: bool) -> int | str | None:
    if not text:
        return None
    return int(text) if is_numbered else text

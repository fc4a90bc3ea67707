"""Layout `table`: CSV, TSV or JSON with named columns, one row per video or part of a video.

Labels are numbers or names; `label_name` (`class_name`, ...) names numeric labels. `split` is
optional; without it, the splits are taken from the names of the lists. Columns with the start and
the end of a part of the video are described in `segments/time_columns.py`. Columns that are not
read are reported. Rows of the test list may have no label.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.data.layouts.columns import (
    Columns,
    find_columns,
    find_one_hot,
    find_path_column,
    find_split_column,
    find_split_hints,
    is_header,
    normalize,
)
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.list_file import (
    MISSING,
    MULTI_LABEL,
    ListFile,
    parse_json,
    parse_labels,
    unquote,
)
from videomae_cli.data.layouts.segments.time_columns import TimeColumns, find_segment_columns
from videomae_cli.data.layouts.split_names import SPLIT_NAMES, find_split_in_name, parse_split
from videomae_cli.data.layouts.text import Text, read_text
from videomae_cli.data.layouts.video_entry import Reading, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.report import format_json

DELIMITERS = (",", "\t", ";", "|", " ")


class Table(NamedTuple):
    """The columns of a file and how its cells are separated."""

    columns: Columns
    delimiter: str
    """Empty for JSON."""


def recognise_table(path: Path, reading: Reading) -> Table | None:
    """Return the columns of a table; None if the file has no header with a column of paths.

    If the user names columns, a header in any language is taken; the column of paths is then the
    one with the suffixes of videos.
    """
    content = read_text(path, reading.encoding).content
    if content.lstrip()[:1] in ("[", "{"):
        rows = _read_json(path, content)
        columns = find_columns(rows[0], reading) if rows else None
        return None if columns is None else Table(columns, "")
    lines = [line for line in content.splitlines() if line.strip()][:2]
    given = (reading.path_column, *reading.label_columns, reading.split_column)
    wanted = {normalize(name) for name in given if name is not None}
    for delimiter in DELIMITERS if lines else ():
        header, first = (_split(line, delimiter) for line in (lines[0], lines[-1]))
        if delimiter == " " and not is_header(header):
            continue
        if wanted & set(map(normalize, header)) and reading.path_column is None:
            number = find_path_column(first, VIDEO_SUFFIXES)
            if number is not None and len(first) == len(header):
                reading = reading._replace(path_column=header[number])
        columns = find_columns(header, reading)
        if columns is not None:
            return Table(columns, delimiter)
    return None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell too long for a table
        return [line]
    return [unquote(cell) for cell in cells]


def read_table(path: Path, table: Table, reading: Reading) -> ListFile:
    """Read all rows of a table; a DataError names the line of a wrong row."""
    text = read_text(path, reading.encoding)
    numbered = list(read_rows(path, text, table))
    return read_cells(path, table.columns, numbered, reading)._replace(guess=text.guess)


def read_cells(
    path: Path, columns: Columns, numbered: Sequence[tuple[int, list[str]]], reading: Reading
) -> ListFile:
    """Return the list that the rows of a table are: line and cells of each; see `read_table`."""
    rows = [cells for _, cells in numbered]
    if columns.split is None and reading.split_column is None:
        columns = columns._replace(split=find_split_column(columns, rows))
    if reading.task == "multi-label" and reading.label_column is None:
        # `y`, the name of a label, may also be one of the classes x, y and z
        one_hot = find_one_hot(columns._replace(labels=()), rows)
        if one_hot and set(columns.labels) <= set(one_hot):
            columns = columns._replace(labels=tuple(one_hot))
    _check_columns(path, columns, rows, reading.task)
    times = find_segment_columns(path, columns, rows, reading.segment_unit)
    if times is not None:
        columns = columns._replace(times=tuple(dict.fromkeys((times.start, times.end))))
    texts = ["" if columns.label is None else row[columns.label].strip() for row in rows]
    entries = [
        _entry(VideoEntry("", label, None, path, line), cells, columns, times)
        for (line, cells), label in zip(numbered, parse_labels(texts), strict=True)
    ]
    _check_labels(entries, columns)
    used = ", ".join(columns.header[number] for number in columns.used)
    return ListFile(
        path,
        "table",
        f"columns {used}",
        entries,
        columns.unused,
        find_split_hints(columns, rows),
        header=columns.header,
        label_names=tuple(columns.header[number] for number in columns.labels),
        segments="" if times is None else times.remark,
    )


def _check_columns(path: Path, columns: Columns, rows: Sequence[Sequence[str]], task: Task) -> None:
    is_unlabelled = columns.label is None and task == "single-label"
    one_hot = find_one_hot(columns, rows) if is_unlabelled else []
    if one_hot:
        names = [columns.header[number] for number in one_hot]
        raise DataError(
            f"{path}: the columns {', '.join(names)} contain 0 and 1: several labels per video",
            f"if each is a class that a video has or not: {MULTI_LABEL}; else name the column with "
            "the class of each video: --label-column",
        )


def _check_labels(entries: Sequence[VideoEntry], columns: Columns) -> None:
    """Check that only test videos have no label, and that numbers have names, if any have."""
    for entry in entries:
        if columns.label is not None and entry.label is None and entry.split != "test":
            raise DataError(
                f"{entry.where}: no label", "label all rows, except those of a test set"
            )
        if isinstance(entry.label, int) and columns.name is not None and not entry.class_name:
            raise DataError(f"{entry.where}: label {entry.label} has no name")


def _entry(
    entry: VideoEntry, cells: Sequence[str], columns: Columns, times: TimeColumns | None
) -> VideoEntry:
    path = unquote(cells[columns.path])
    if not path:
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
    label_cells = tuple(_clean(cells[number]) for number in columns.labels) or None
    segment = None if times is None else times.read(entry.where, cells)
    return entry._replace(
        path=path, split=split, class_name=name, cells=label_cells, segment=segment
    )


def _clean(cell: str) -> str:
    """Return the text of a label cell; empty if it says that the label is missing."""
    return "" if cell.strip() in MISSING else cell.strip()


def read_rows(path: Path, text: Text, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row that is not blank; for JSON, the number of the record."""
    width = len(table.columns.header)
    if not table.delimiter:
        yield from enumerate(_read_json(path, text.content)[1:], start=1)
        return
    reader = csv.reader(
        io.StringIO(text.content, newline=""),
        delimiter=table.delimiter,
        skipinitialspace=True,
        strict=True,
    )
    is_first = True
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if is_first:
                is_first = False
                continue
            where = f"{path}:{reader.line_num}"
            if len(cells) != width:
                raise DataError(
                    f"{where}: {len(cells)} cells, but the header has {width}",
                    "put quotes around a path that contains the delimiter",
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _read_json(path: Path, content: str) -> list[list[str]]:
    """Return header and rows of JSON records, one object per line or a list; else nothing.

    An object of objects (`{"ID": {"label": ...}}`) has its keys in the column `id`.
    """
    try:
        value = parse_json(path, content)
    except json.JSONDecodeError:
        try:
            value = [parse_json(path, line) for line in content.splitlines() if line.strip()]
        except json.JSONDecodeError:
            return []
    if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        value = [{"id": key, **item} for key, item in value.items()]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return []
    return tabulate(value)


def tabulate(records: Sequence[Mapping[str, object]]) -> list[list[str]]:
    """Return header and rows of records, as texts; a value that is missing is an empty text."""
    header = list(dict.fromkeys(key for record in records for key in record))
    return [header, *([_json_cell(record.get(key)) for key in header] for record in records)]


def _json_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and len(value) == 1:  # the only label of a video
        return _json_cell(value[0])
    if isinstance(value, list | dict):
        return format_json(value)
    return value if isinstance(value, str) else json.dumps(value)

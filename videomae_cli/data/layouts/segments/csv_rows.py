"""Read the rows of CSV and TSV files with a header, by the names of their columns."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.text import read_text
from videomae_cli.errors import DataError

DELIMITERS = (",", "\t", ";")


class CsvRow(NamedTuple):
    """A row of a table: its cells by the names of the columns."""

    file: Path
    line: int
    cells: dict[str, str]

    @property
    def where(self) -> str:
        """Return "file:line" for messages."""
        return f"{self.file}:{self.line}"

    def get(self, name: str) -> str:
        """Return the cell of a column; a DataError if there is no such column."""
        if name not in self.cells:
            raise DataError(
                f"{self.where}: no column {name!r}", f"the columns are: {', '.join(self.cells)}"
            )
        return self.cells[name]


def read_csv(path: Path, encoding: str | None, skipped_lines: int = 0) -> list[CsvRow]:
    """Return the rows of a file, in which any of `DELIMITERS` separates the cells.

    Blank rows are left out. `skipped_lines` are before the header.

    Raises:
        DataError: A row has more or fewer cells than the header, or the quotes are wrong.
    """
    content = read_text(path, encoding).content
    rows: list[CsvRow] = []
    names: list[str] = []
    for line, cells in read_csv_cells(path, content, skipped_lines):
        if not names:
            names = cells
        elif len(cells) != len(names):
            raise DataError(
                f"{path}:{line}: {len(cells)} cells, but the header has {len(names)}",
                "export the file again",
            )
        else:
            rows.append(CsvRow(path, line, dict(zip(names, cells, strict=True))))
    return rows


def read_csv_cells(
    path: Path, content: str, skipped_lines: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row that is not blank; the first row may be a header."""
    lines = content.splitlines(keepends=True)[skipped_lines:]
    delimiter = _find_delimiter(next(iter(lines), ""))
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + skipped_lines, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num + skipped_lines}: {error}") from error


def read_header(data: bytes) -> set[str]:
    """Return the names of the columns in the first line of a file."""
    line = data.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
    return {cell.strip().strip('"') for cell in line.split(_find_delimiter(line))}


def _find_delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)

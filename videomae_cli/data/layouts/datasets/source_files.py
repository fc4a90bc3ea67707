"""The lists of a data set: text files in a folder, and in the folders one or two levels below."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import LIST_SUFFIXES
from videomae_cli.data.layouts.list_file import parse_json
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

MAX_DEPTH = 2  # folders between the source and a list: `v1/annotations/train.json`
SUFFIXES = LIST_SUFFIXES | {".parquet"}
HEAD_BYTES = 4096


class SourceFiles(NamedTuple):
    """The lists of a source, and the folder that its videos are below."""

    source: Path
    root: Path
    texts: tuple[Path, ...]
    """A source that is a file is its only list."""
    encoding: str | None = None
    """Of the lists; None: detected."""

    def match(self, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
        """Return the lists whose whole names match a pattern, sorted by their paths."""
        found = [(path, pattern.fullmatch(path.name)) for path in self.texts]
        return [(path, match) for path, match in found if match]


def read_source(source: Path, reading: Reading) -> SourceFiles:
    """Find the lists of a source."""
    if source.is_file():
        return SourceFiles(source, reading.root or source.parent, (source,), reading.encoding)
    texts = tuple(sorted(_find_texts(source, MAX_DEPTH)))
    return SourceFiles(source, reading.root or source, texts, reading.encoding)


def read_head(path: Path) -> str:
    """Return the beginning of a text file; bytes that are not UTF-8 are replaced."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES).decode("utf-8-sig", "replace")


def load_json(path: Path, encoding: str | None = None) -> object:
    """Return the value of a JSON file; a DataError with the line if it is none."""
    try:
        return parse_json(path, read_text(path, encoding).content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not JSON: {error.msg}", "copy or download the file again"
        ) from error


def load_records(path: Path, encoding: str | None = None) -> list[dict[str, object]]:
    """Return the objects of a JSON list."""
    value = load_json(path, encoding)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise DataError(f"{path}: not a list of objects", "copy or download the file again")
    return value


def load_json_lines(path: Path, content: str) -> list[dict[str, object]]:
    """Return the objects of a text with one on each line."""
    records = []
    for line, text in enumerate(content.splitlines(), start=1):
        try:
            value = parse_json(path, text) if text.strip() else {}
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{line}: not JSON: {error.msg}") from error
        if not isinstance(value, dict):
            raise DataError(f"{path}:{line}: not an object", "write one object on each line")
        records += [value] if value else []
    return records


def read_csv(path: Path, encoding: str | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the cells of each row, by the names in the header."""
    content = read_text(path, encoding).content
    reader = csv.DictReader(io.StringIO(content, newline=""), skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}:{reader.line_num}: not as many cells as the header has names",
                    "put quotes around a cell that contains a comma",
                )
            yield reader.line_num, {name.strip(): cell.strip() for name, cell in row.items()}
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _find_texts(folder: Path, depth: int) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_text = os.path.splitext(entry.name)[1].lower() in SUFFIXES  # noqa: PTH122
            if is_text and entry.is_file():
                yield Path(entry.path)
            elif depth and not is_text and entry.is_dir():
                yield from _find_texts(Path(entry.path), depth - 1)

"""Read a `manifest.csv` that was edited, or that an earlier version wrote: every row is checked."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from videomae_cli.config.model import Task
from videomae_cli.data.manifest_rows import COLUMNS, SEGMENT_COLUMNS, Video, parse_row
from videomae_cli.errors import DataError


def read_rows(
    text: str, path: Path, classes: tuple[str, ...] | None, task: Task
) -> Iterator[Video]:
    """Yield the videos of the text of a file; a DataError names the line that is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    seen: dict[str, int] = {}
    try:
        header = tuple(next(reader, ()))
        if header not in (COLUMNS, SEGMENT_COLUMNS):
            raise DataError(f"{path}:1: expected the header {','.join(COLUMNS)}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if len(row) != len(header):
                raise DataError(f"{where}: {len(row)} cells, expected {len(header)}")
            video = parse_row(row, classes, task, where)
            if video.name in seen:
                raise DataError(f"{where}: {video.name!r} is already in line {seen[video.name]}")
            seen[video.name] = reader.line_num
            yield video
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error

"""Write annotation files and empty videos, and read them as entries."""

from pathlib import Path
from typing import NamedTuple

from tests.data.layouts.sources import write_files, write_text
from videomae_cli.config.model import Task
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Reading


class Part(NamedTuple):
    """What a test compares of an entry: the segment is start, end and unit."""

    path: str
    label: int | str | tuple[str, ...] | None
    segment: tuple[float, float | None, str] | None
    split: str | None = None


class Source(NamedTuple):
    """A detected source."""

    layout: str
    parts: list[Part]
    remarks: list[str]


def read_source(
    source: Path,
    label_column: str | None = None,
    *,
    root: Path | None = None,
    task: Task = "single-label",
) -> Source:
    """Detect the layout of a source and list it."""
    root = root or (source if source.is_dir() else source.parent)
    reading = Reading(label_column=label_column, root=root, task=task)
    layout = detect_layout(source, reading).name
    listing = scan_layout(source, layout, reading)
    parts = [
        Part(
            entry.path,
            entry.label if entry.cells is None else entry.cells,
            None if entry.segment is None else tuple(entry.segment),
            entry.split,
        )
        for entry in listing.entries
    ]
    return Source(layout, parts, list(listing.remarks))


def write_source(folder: Path, name: str, content: str, *videos: str) -> Path:
    """Write an annotation file, and videos beside it; return the file."""
    write_files(folder, *videos)
    return write_text(folder / name, content)

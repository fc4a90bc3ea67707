"""Small sources of data sets on disk, and what the layouts find in them."""

from pathlib import Path

from videomae_cli.data.layouts import detect_layout, scan_layout


def write_files(root: Path, *paths: str) -> Path:
    """Write a file of one byte at each path, and return the root."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"\0")
    return root


def write_text(path: Path, content: str) -> Path:
    """Write a text file, with its parents, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def entries_of(source: Path) -> tuple[str, list[tuple[str, int | str | None, str | None]]]:
    """Return the detected layout, and (path, label, split) of each entry."""
    name = detect_layout(source).name
    return name, [
        (entry.path, entry.label, entry.split) for entry in scan_layout(source, name).entries
    ]

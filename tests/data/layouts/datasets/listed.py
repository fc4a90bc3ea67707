"""What a layout lists, in a form that is short to compare."""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.layouts import scan_layout
from videomae_cli.data.layouts.video_entry import Listing, Reading

Row = tuple[str, int | str | None, str | None]


def rows_of(listing: Listing) -> list[Row]:
    """Return path, label and split of each entry."""
    return [(entry.path, entry.label, entry.split) for entry in listing.entries]


def list_rows(source: Path, layout: str, **reading: object) -> Sequence[Row]:
    """Return path, label and split of each video that a layout lists."""
    return rows_of(scan_layout(source, layout, Reading(**reading)))  # type: ignore[arg-type]

"""Layouts of data sets on disk: detect the layout of a source, and list its videos."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts import folders, lists, table
from videomae_cli.data.layouts.video_entry import Layout, VideoEntry
from videomae_cli.errors import DataError, UsageError

LAYOUTS: dict[str, Layout] = {  # detected in this order
    "table": Layout(table.recognise, table.scan),
    "list-start-frames": lists.list_layout(lists.START_FRAMES),
    "list-frames-label": lists.list_layout(lists.FRAMES_LABEL),
    "list-label": lists.list_layout(lists.LABEL),
    "list-paths": lists.list_layout(lists.PATHS),
    "class-folders": Layout(folders.recognise_classes, folders.scan_classes),
    "videos": Layout(folders.recognise_videos, folders.scan_videos),
}


class DetectedLayout(NamedTuple):
    """The first layout that recognises a source."""

    name: str
    reason: str
    """What was found."""
    alternatives: tuple[str, ...]
    """Other layouts that also recognise the source."""

    def __str__(self) -> str:
        """Describe it in one line, with the flags that select the alternatives."""
        flags = ", ".join(f"--layout {name}" for name in self.alternatives)
        return f"layout {self.name}: {self.reason}" + (
            f" (also possible: {flags})" if flags else ""
        )


def detect_layout(source: Path) -> DetectedLayout:
    """Return the first of `LAYOUTS` that recognises a source; a DataError if none does."""
    _check_exists(source)
    reasons = {name: layout.recognise(source) for name, layout in LAYOUTS.items()}
    fitting = [name for name, reason in reasons.items() if reason]
    if not fitting:
        raise DataError(
            f"{source}: no known layout: no table with a path column, no list of paths, no videos",
            "a table needs a header such as path,label,split; for a list whose format is not "
            f"recognised give --layout, one of: {', '.join(LAYOUTS)}",
        )
    return DetectedLayout(fitting[0], reasons[fitting[0]], tuple(fitting[1:]))


def scan_layout(source: Path, name: str) -> list[VideoEntry]:
    """List the videos of a source, read with one layout; a DataError names a wrong line."""
    if name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}", f"one of: {', '.join(LAYOUTS)}")
    _check_exists(source)
    entries = list(LAYOUTS[name].scan(source))
    if not entries:
        raise DataError(
            f"{source} contains no videos in layout {name}",
            "omit --layout to detect the layout",
        )
    return entries


def _check_exists(source: Path) -> None:
    if not source.exists():
        raise DataError(f"{source} does not exist", "give a folder of videos, or a list of them")

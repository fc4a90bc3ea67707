"""How data sets lie on disk: `LAYOUTS`, tried in this order, and how to tell which it is."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts import folders, lists, table
from videomae_cli.data.layouts.entry import Entry, Layout
from videomae_cli.errors import DataError, UsageError

LAYOUTS: dict[str, Layout] = {
    "table": Layout(table.recognise, table.scan),
    "list-start-frames": lists.layout(lists.START_FRAMES),
    "list-frames-label": lists.layout(lists.FRAMES_LABEL),
    "list-label": lists.layout(lists.LABEL),
    "list-paths": lists.layout(lists.PATHS),
    "class-folders": Layout(folders.recognise_classes, folders.scan_classes),
    "videos": Layout(folders.recognise_videos, folders.scan_videos),
}


class Detected(NamedTuple):
    """The layout taken, why, and which others would also do."""

    name: str
    why: str
    others: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in one line, with the way to another reading."""
        also = ", ".join(f"--layout {name}" for name in self.others)
        return f"layout {self.name}: {self.why}" + (f" (it could also be {also})" if also else "")


def detect(source: Path) -> Detected:
    """Tell how a data set lies on disk: the first of `LAYOUTS` that recognises it.

    Raises:
        DataError: None does, or lists that contradict each other lie here.
    """
    _check_exists(source)
    found = {name: layout.recognise(source) for name, layout in LAYOUTS.items()}
    fitting = [name for name, why in found.items() if why]
    if not fitting:
        raise DataError(
            f"{source}: no layout fits: no table with a path column, no list of paths, no videos",
            "a table needs a header such as path,label,split; for a list whose kind is unclear say "
            f"--layout, one of: {', '.join(LAYOUTS)}",
        )
    return Detected(fitting[0], found[fitting[0]], tuple(fitting[1:]))


def scan(source: Path, name: str) -> list[Entry]:
    """List the entries of one layout.

    Raises:
        UsageError: No such layout.
        DataError: What the layout raises, or it finds nothing.
    """
    if name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}", f"one of: {', '.join(LAYOUTS)}")
    _check_exists(source)
    entries = list(LAYOUTS[name].scan(source))
    if not entries:
        raise DataError(f"{source} holds nothing for layout {name}", "leave --layout out to detect")
    return entries


def _check_exists(source: Path) -> None:
    if not source.exists():
        raise DataError(f"{source} does not exist", "give a folder of videos, or a list of them")

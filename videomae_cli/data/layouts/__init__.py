"""Layouts of data sets on disk: detect the layout of a source, and list its videos."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts import folders, lines, lists
from videomae_cli.data.layouts.contents import describe_contents
from videomae_cli.data.layouts.datasets import DATA_SET_LAYOUTS, recognise_data_sets
from videomae_cli.data.layouts.segments import registry as segments
from videomae_cli.data.layouts.video_entry import Listing, Reading
from videomae_cli.errors import DataError, UsageError

# in the order of preference; each returns the layouts that fit, with a description of what it found
RECOGNISERS = (
    recognise_data_sets,
    segments.recognise_segments,
    lists.recognise_lists,
    folders.recognise_folders,
)
# of these, the ones that read files of a certain data set: no other layout is possible then
CERTAIN = (recognise_data_sets,)
# each lists the videos of a source, with paths relative to the source folder
LAYOUTS: dict[str, Callable[[Path, str, Reading], Listing]] = {
    **dict.fromkeys(segments.FORMATS, segments.scan_segments),
    lists.TABLE: lists.scan_lists,
    lines.START_FRAMES: lists.scan_lists,
    lines.OFFSET_FRAMES_LABEL: lists.scan_lists,
    lines.FRAMES_LABEL: lists.scan_lists,
    lines.LABEL: lists.scan_lists,
    lines.PATHS: lists.scan_lists,
    folders.CLASS_FOLDERS: folders.scan_folders,
    folders.VIDEOS: folders.scan_folders,
    **DATA_SET_LAYOUTS,
}
DETECTED = Reading()


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


def detect_layout(source: Path, reading: Reading = DETECTED) -> DetectedLayout:
    """Return the first layout that recognises a source; a DataError if none does."""
    _check_exists(source)
    reasons: dict[str, str] = {}
    for recognise in RECOGNISERS:
        reasons.update(recognise(source, reading))
        if reasons and recognise in CERTAIN:
            break
    if not reasons:
        raise DataError(
            f"{source}: no known layout: {describe_contents(source, reading)}",
            "give a folder of videos, a table with a header such as path,label,split, or a list of "
            f"paths; a list whose format is not recognised needs --layout: {', '.join(LAYOUTS)}",
        )
    name, *others = reasons
    return DetectedLayout(name, reasons[name], tuple(others))


def scan_layout(source: Path, name: str, reading: Reading = DETECTED) -> Listing:
    """List the videos of a source, read with one layout; a DataError names a wrong line."""
    if name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}", f"one of: {', '.join(LAYOUTS)}")
    _check_exists(source)
    listing = LAYOUTS[name](source, name, reading)
    if not listing.entries:
        raise DataError(
            f"{source} contains no videos in layout {name}",
            "omit --layout to detect the layout",
        )
    return listing


def _check_exists(source: Path) -> None:
    if not source.exists():
        raise DataError(f"{source} does not exist", "give a folder of videos, or a list of them")

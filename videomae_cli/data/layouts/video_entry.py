"""A video as listed in a data set, and the listing of all its videos."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.config.model import Task

logger = logging.getLogger("videomae")


class Segment(NamedTuple):
    """A part of a file: from `start` up to, and without, `end`."""

    start: float
    end: float | None
    """None: the end of the file."""
    unit: Literal["seconds", "frames"]
    """Seconds from the first frame of the file, or frame numbers from 0."""


class VideoEntry(NamedTuple):
    """One video as listed in a data set; the video itself has not been opened."""

    path: str
    """As written in the list, or relative to the folder."""
    label: int | str | None
    """A number, or the name of a class; None if the video has no label."""
    split: str | None
    file: Path
    """The list, or the video if it was found in a folder."""
    line: int
    """Line in the list; 0 if the video was found in a folder."""
    class_name: str = ""
    """Name of the class of a numeric label."""
    rejection: str = ""
    """Why the layout does not support this video; empty if it does."""
    frames: int | None = None
    """Number of frames according to the list."""
    start: int | None = None
    """Number of the first frame according to the list."""
    cells: tuple[str, ...] | None = None
    """Texts of the label columns, if the task is not `single-label`; `label` is then None. An empty
    text is a missing label; None: there is no such column."""
    segment: Segment | None = None
    """The part of the file that is the video; None: all of it."""

    @property
    def where(self) -> str:
        """Return "file:line" for messages."""
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class Reading(NamedTuple):
    """What the user says about lists; None: detected."""

    path_column: str | None = None
    label_column: str | None = None
    """Several, separated by commas, if the task is not `single-label`."""
    split_column: str | None = None
    encoding: str | None = None
    root: Path | None = None
    """Directory that the paths of a list are relative to."""
    classes: Path | None = None
    """The file of class names, which is neither a list nor unused."""
    task: Task = "single-label"
    segment_unit: str | None = None
    """Unit of the start and the end of parts of files: seconds, frames or milliseconds."""

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Names of the label columns that the user names."""
        if self.label_column is None:
            return ()
        if self.task == "single-label":
            return (self.label_column,)
        return tuple(name.strip() for name in self.label_column.split(",") if name.strip())

    def is_classes(self, path: Path) -> bool:
        """Return whether a file is that of the class names."""
        return self.classes is not None and self.classes.exists() and path.samefile(self.classes)


class SideTable(NamedTuple):
    """Rows about the videos that are no labels of them, such as boxes."""

    header: Sequence[str]
    """The first column is the path of a video, as in its entry."""
    rows: Sequence[Sequence[str]]


class Listing(NamedTuple):
    """All videos of a data set, and what of it is not used."""

    entries: Sequence[VideoEntry]
    remarks: Sequence[str] = ()
    """One sentence for each file, folder or column that is not used, and for each guess."""
    split_hints: Sequence[str] = ()
    """Unused files, folders and columns that speak of a split: no random split may be drawn."""
    label_hints: Sequence[str] = ()
    """Unused files that name the videos: they may contain the labels of unlabelled videos."""
    label_names: Sequence[str] = ()
    """Names of the label columns, if the task is not `single-label`."""
    classes: Sequence[str] = ()
    """Names of the classes in the order of their numbers, if the data set itself gives them."""
    side_tables: Mapping[str, SideTable] = {}
    """By the name of the file that is written beside the manifest."""

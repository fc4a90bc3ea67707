"""A video as listed in a data set, and a layout as a pair of functions that find such videos."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger("videomae")


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

    @property
    def where(self) -> str:
        """Return "file:line" for messages."""
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class Layout(NamedTuple):
    """One way of storing a data set on disk."""

    recognise: Callable[[Path], str]
    """Called with the source; returns why it has this layout, or "" if it does not."""
    scan: Callable[[Path], Iterator[VideoEntry]]
    """Called with the source; lists its videos, with paths relative to the source folder."""

"""Find the videos and the other files of a data set."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.split_names import parse_split_folder

# fmt: off
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".ts", ".m2ts",
    ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".ogv", ".ogm", ".mxf", ".gif", ".ivf",
    ".3g2", ".qt", ".m2v", ".mod", ".lrv", ".trp", ".h264", ".264", ".h265", ".265", ".hevc", ".dv",
    ".y4m", ".mjpeg", ".mjpg", ".apng", ".nut",
))
# fmt: on
LIST_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".list", ".lst", ".json", ".jsonl"})
MAX_LIST_BYTES = 1 << 30  # K710's list of 658,340 videos has about 60 MB
SHOWN = 4


class FoundFiles(NamedTuple):
    """The files below a folder, relative to it and sorted."""

    videos: list[Path]
    others: list[Path]
    skipped: list[Path]
    """Hidden files and folders, and links to folders that have been read already."""

    @property
    def other_suffixes(self) -> Counter[str]:
        """Return how many other files have each suffix."""
        return Counter(path.suffix.lower() or "without suffix" for path in self.others)


class Tree(NamedTuple):
    """The videos below a folder, and which levels of their paths are splits and classes."""

    videos: Sequence[Path]
    """Relative to the folder."""
    others: Sequence[Path]
    """Other files, without the images of frame folders."""
    skipped: Sequence[Path] = ()
    split_level: int | None = None
    class_level: int | None = None

    def split(self, video: Path) -> str | None:
        """Return the split of a video."""
        if self.split_level is None or len(video.parts) <= self.split_level + 1:
            return None
        return parse_split_folder(video.parts[self.split_level])

    def label(self, video: Path) -> str | None:
        """Return the class of a video; None if it is above the class folders."""
        if self.class_level is None or len(video.parts) <= self.class_level + 1:
            return None
        return video.parts[self.class_level]


def find_files(folder: Path) -> FoundFiles:
    """Search a folder and its subfolders for videos and other files.

    Names that start with a dot are skipped. Links are followed, but no folder is entered twice.
    """
    videos: list[Path] = []
    others: list[Path] = []
    skipped: list[Path] = []
    entered: set[tuple[int, int]] = set()
    for current, folders, names in os.walk(folder, followlinks=True):
        state = Path(current).stat()
        if (state.st_dev, state.st_ino) in entered:
            folders.clear()
            skipped.append(Path(current).relative_to(folder))
            continue
        entered.add((state.st_dev, state.st_ino))
        hidden = [name for name in (*folders, *names) if name.startswith(".")]
        skipped += [Path(current, name).relative_to(folder) for name in hidden]
        folders[:] = sorted(name for name in folders if name not in hidden)
        for name in (name for name in names if name not in hidden):
            is_video = Path(name).suffix.lower() in VIDEO_SUFFIXES
            (videos if is_video else others).append(Path(current, name).relative_to(folder))
    return FoundFiles(sorted(videos), sorted(others), sorted(skipped))


def join_some(names: Iterable[object], shown: int = SHOWN) -> str:
    """Join the first few names: "a, b, c, d, ..."."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:shown]) + (", ..." if len(texts) > shown else "")

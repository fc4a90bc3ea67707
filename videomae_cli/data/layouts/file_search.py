"""Find the list files and the video files of a data set."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from videomae_cli.data.layouts.split_names import find_split_in_name
from videomae_cli.errors import DataError

# fmt: off
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".ts", ".m2ts",
    ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".ogv", ".ogm", ".mxf", ".gif", ".ivf",
    ".3g2", ".qt", ".m2v", ".mod", ".lrv", ".trp", ".h264", ".264", ".h265", ".265", ".hevc", ".dv",
    ".y4m", ".mjpeg", ".mjpg", ".apng", ".nut",
))
# fmt: on
LIST_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".list", ".lst"})
MAX_LIST_BYTES = 1 << 30  # K710's list of 658,340 videos has about 60 MB


def find_lists(source: Path, is_list: Callable[[Path], bool]) -> dict[Path, str | None]:
    """Return the list files of a data set, each with the split in its name, or None.

    A source that is a file is its own list. A source that is a folder must contain lists named
    after splits, at most one for each, or else exactly one list.

    Raises:
        DataError: The list of a split is empty, or there are several lists for the same split.
    """
    if source.is_file():
        return {source: find_split_in_name(source.name)} if is_list(source) else {}
    candidates = sorted(
        path
        for path in source.iterdir()
        if path.suffix.lower() in LIST_SUFFIXES
        and path.is_file()
        and path.stat().st_size < MAX_LIST_BYTES
    )
    lists = [path for path in candidates if is_list(path)]
    lists = [path for path in lists if find_split_in_name(path.name)] or lists
    splits = {path: find_split_in_name(path.name) for path in lists}
    if len(set(splits.values())) < len(lists):
        raise DataError(
            f"{source} contains several lists for the same videos: "
            + ", ".join(path.name for path in lists),
            "give one of them as SOURCE, or move the lists for train, val and test to a folder of "
            "their own",
        )
    for path in candidates if any(splits.values()) else ():
        if find_split_in_name(path.name) and not path.read_bytes().strip():
            raise empty_list_error(path)
    return splits


def empty_list_error(path: Path) -> DataError:
    """Return the error for a list without videos."""
    split = find_split_in_name(path.name)
    return DataError(
        f"{path}:1: no videos listed" + (f": the split {split} is empty" if split else ""),
        "add videos to the list, or remove it",
    )


def find_videos(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Search a folder and its subfolders for videos.

    Names that start with a dot are skipped. Links are followed, but no folder is entered twice.
    Returns the videos, relative to the folder and sorted, and a count of the other suffixes.
    """
    videos: list[Path] = []
    other_suffixes: Counter[str] = Counter()
    entered: set[tuple[int, int]] = set()
    for current, folders, names in os.walk(folder, followlinks=True):
        state = Path(current).stat()
        if (state.st_dev, state.st_ino) in entered:
            folders.clear()
            continue
        entered.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in (name for name in names if not name.startswith(".")):
            suffix = Path(name).suffix.lower()
            if suffix in VIDEO_SUFFIXES:
                videos.append(Path(current, name).relative_to(folder))
            else:
                other_suffixes[suffix or "without suffix"] += 1
    return sorted(videos), other_suffixes

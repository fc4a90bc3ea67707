"""What a layout finds: one `Entry` per video, as the data set says it; no video is opened.

A layout recognises itself (`recognise`, in words a user can check) and lists its videos (`scan`).
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from videomae_cli.errors import DataError

# fmt: off
ENDINGS = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".ts", ".m2ts",
    ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".ogv", ".ogm", ".mxf", ".gif", ".ivf",
))
# fmt: on
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
LISTS = frozenset({".csv", ".tsv", ".txt", ".list", ".lst"})
MAX_LIST_BYTES = 1 << 30  # K710's list of 658,340 videos takes about 60 MB
logger = logging.getLogger("videomae")


class Entry(NamedTuple):
    """One video as listed.

    `label` is a number or a name (None: not labelled), `name` the class name beside a numeric
    label, `split` one of train, val, test (None: not said), `file` and `line` where it is written
    (line 0: found on disk), `reject` why the layout itself cannot offer it.
    """

    path: str
    label: int | str | None
    split: str | None
    file: Path
    line: int
    name: str = ""
    reject: str = ""

    @property
    def where(self) -> str:
        """Return "file:line" for messages."""
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class Layout(NamedTuple):
    """One way a data set lies on disk.

    `recognise(source)` returns why this is such a data set, or "" if it is not; `scan(source)`
    lists the videos with paths relative to `source`, or to its folder where it is a file.
    """

    recognise: Callable[[Path], str]
    scan: Callable[[Path], Iterator[Entry]]


def split_of(word: str) -> str | None:
    """Return train, val or test for the words people write for them, else None."""
    return SPLIT_WORDS.get(word.strip().lower())


def split_in_name(name: str) -> str | None:
    """Return the split that a file name such as `k400_train_list.txt` speaks of, if just one."""
    found = {split_of(word) for word in re.split(r"[^A-Za-z]+", Path(name).stem)} - {None}
    return found.pop() if len(found) == 1 else None


def list_files(source: Path, is_one: Callable[[Path], bool]) -> dict[Path, str | None]:
    """Return the list files that make up a data set, each with its split (None: not said).

    A file is itself. A folder counts if it holds lists named after splits, at most one for each, or
    else exactly one list.

    Args:
        source: A file or a folder.
        is_one: Whether a file is a list of the kind wanted.

    Raises:
        DataError: A list for a split is empty, or several lists may be meant.
    """
    if source.is_file():
        return {source: split_in_name(source.name)} if is_one(source) else {}
    lists = sorted(path for path in source.iterdir() if _may_be_list(path))
    files = [path for path in lists if is_one(path)]
    chosen = [path for path in files if split_in_name(path.name)] or files
    splits = {path: split_in_name(path.name) for path in chosen}
    if len(set(splits.values())) < len(chosen):
        raise DataError(
            f"{source} holds several lists for the same videos: "
            + ", ".join(path.name for path in chosen),
            "give the one you mean as SOURCE, or keep train, val and test in a folder of their own",
        )
    for path in lists if any(splits.values()) else ():
        if split_in_name(path.name) and not path.read_bytes().strip():
            raise empty_list(path)
    return splits


def empty_list(path: Path) -> DataError:
    """Return the error for a list without videos."""
    split = split_in_name(path.name)
    return DataError(
        f"{path}:1: no videos listed" + (f": the split {split} is empty" if split else ""),
        "fill the list or take it away",
    )


def walk(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Return the videos below a folder, relative to it and sorted, and a count of other endings.

    Names that start with a dot are passed over. Links are followed, but no folder is entered twice.
    """
    videos: list[Path] = []
    others: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        state = Path(here).stat()
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            ending = Path(name).suffix.lower()
            if ending in ENDINGS and not name.startswith("."):
                videos.append(Path(here, name).relative_to(folder))
            elif not name.startswith("."):
                others[ending or "without ending"] += 1
    return sorted(videos), others


def _may_be_list(path: Path) -> bool:
    return path.suffix.lower() in LISTS and path.is_file() and path.stat().st_size < MAX_LIST_BYTES

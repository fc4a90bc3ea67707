"""Find files whose paths are not written exactly as they are on disk.

A path is changed only if no file has the path as written, and exactly one file has the changed
path. Every change is reported.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from videomae_cli.data.layouts.datasets.video_index import VideoIndex
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import VideoEntry

Repair = tuple[str, Callable[[str], Iterator[str]]]


def repair_paths(
    entries: Sequence[VideoEntry], root: Path, encoding: str | None = None
) -> tuple[list[VideoEntry], list[str]]:
    """Return the entries with the paths of existing files, and a sentence for each kind of change.

    Entries whose file exists, or cannot be found, are returned as they are. `encoding` is that of
    the lists (None: detected): the names of files may be bytes in it.
    """
    _list_videos.cache_clear()  # of an earlier call
    _index_videos.cache_clear()
    encoding_of = lru_cache(maxsize=None)(lambda file: encoding or read_text(file).encoding)
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    repaired = []
    for entry in entries:
        name, path = "", entry.path
        if entry.line and not entry.rejection and not _exists(root, path):
            name, path = _find(path, root, encoding_of(entry.file))
        if name:
            counts[name] += 1
            examples.setdefault(name, f"{entry.path!r} is {path!r}")
            entry = entry._replace(path=path)
        repaired.append(entry)
    return repaired, [
        f"{count:,} of {len(entries):,} paths: {name}, because only that file exists "
        f"({examples[name]})"
        for name, count in counts.most_common()
    ]


def _find(path: str, root: Path, encoding: str) -> tuple[str, str]:
    """Return the name of the repair and the path; "" and the path as it is without a repair."""
    with_suffix = _add_suffix(path, root)
    if len(with_suffix) == 1:
        return "the missing suffix is added", with_suffix[0]
    for name, change in _repairs(encoding):
        found = {other for other in change(path) if other != path and _exists(root, other)}
        if len(found) == 1:
            return name, found.pop()
    by_name = _index_videos(root).find(path) if _is_name(path) else []
    if len(by_name) == 1:
        return "the videos are found by their names in the folders below the root", by_name[0]
    return "", path


def _is_name(path: str) -> bool:
    """Return whether a path is a name only, without folder and suffix."""
    is_video = os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122
    return not is_video and "/" not in path and "\\" not in path


@lru_cache(maxsize=1)
def _index_videos(root: Path) -> VideoIndex:
    return VideoIndex(root)


def _repairs(encoding: str) -> list[Repair]:
    return [
        ("backslashes are read as slashes", lambda path: iter([path.replace("\\", "/")])),
        (
            "the accents are encoded in another way",
            lambda path: (unicodedata.normalize(form, path) for form in ("NFC", "NFD")),
        ),
        (
            "the name of the file is not in UTF-8",
            lambda path: _encode(path, encoding),
        ),
        ("the folders of another machine are left out", _drop_folders),
    ]


def _add_suffix(path: str, root: Path) -> list[str]:
    """Return the videos that have the path, and a suffix after it."""
    folder, _, stem = path.rpartition("/")
    names = _list_videos(root / folder).get(stem, [])
    return [path + name.removeprefix(stem) for name in names]


@lru_cache(maxsize=64)
def _list_videos(folder: Path) -> dict[str, list[str]]:
    """Return the names of the videos in a folder, by their names without the suffix."""
    names: dict[str, list[str]] = {}
    with suppress(OSError, ValueError):
        for name in os.listdir(folder):  # noqa: PTH208  (names only)
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if suffix.lower() in VIDEO_SUFFIXES:
                names.setdefault(stem, []).append(name)
    return names


def _encode(path: str, encoding: str) -> Iterator[str]:
    try:
        yield os.fsdecode(path.encode(encoding))
    except (UnicodeError, LookupError):
        return


def _drop_folders(path: str) -> Iterator[str]:
    """Yield the longest path below the root that exists first, for absolute paths only."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if path.startswith("/") or path[1:3] in (":\\", ":/"):
        yield from ("/".join(parts[start:]) for start in range(1, len(parts)))


def _exists(root: Path, path: str) -> bool:
    try:
        return (root / path).exists()
    except (OSError, ValueError):
        return False

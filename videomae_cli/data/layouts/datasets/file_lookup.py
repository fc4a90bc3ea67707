"""Find the videos of a data set by their names, wherever they are below its root."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.datasets.video_index import VideoIndex
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.frame_folders import OTHER_DATA
from videomae_cli.data.layouts.split_names import parse_split_folder
from videomae_cli.data.layouts.video_entry import Listing, Segment, VideoEntry

MAX_DEPTH = 5  # folders between the root and a video
REPLACED = re.compile("replace", re.IGNORECASE)  # Kinetics-400 as hosted: replaced damaged videos


class Name(NamedTuple):
    """A name that the file of a video may have, without suffix, and the part of it to use."""

    stem: str
    segment: Segment | None = None


class Listed(NamedTuple):
    """A video of a list, and the names that its file may have, in the order of preference."""

    entry: VideoEntry
    names: Sequence[Name]


def locate_videos(
    listed: Sequence[Listed], root: Path, classes: Sequence[str], remarks: Sequence[str] = ()
) -> Listing:
    """Return the listing of a data set with the paths of the files, relative to the root.

    A video is at the path of its entry, or has one of its names in some folder. Videos without a
    file keep their path: they are rejected later, with a reason. If no video of a split has a
    file, but those of others have, the split is left out.
    """
    index = VideoIndex(root, MAX_DEPTH)
    paths = set(index.paths)
    folders = {_normalize(name) for name in classes}
    entries, found, copies = [], [], []
    for entry, names in listed:
        if entry.path in paths:
            names = ()
        options = (
            (name, _drop_others(index.find_stem(name.stem), entry, folders)) for name in names
        )
        name, best = next(((n, c) for n, c in options if c), (Name(""), []))
        if len(best) > 1:
            best = sorted(best, key=partial(_rank, entry))
            copies.append((best[0], best[1]))
        path = best[0] if best else entry.path
        entries.append(entry._replace(path=path, segment=name.segment))
        found.append(path in paths)
    kept, absent = _drop_absent_splits(entries, found)
    unlisted = sorted(paths - {entry.path for entry in entries})
    return Listing(
        kept,
        [*remarks, *absent, *_describe(entries, kept, found, copies, unlisted, len(paths))],
        classes=tuple(classes),
    )


def _drop_others(paths: Iterable[str], entry: VideoEntry, folders: Set[str]) -> list[str]:
    """Return the paths without those of flow, depth or masks, and of another class' folder."""
    own = _normalize(str(entry.label))
    kept = []
    for path in paths:
        parents = path.split("/")[:-1]
        folder = _normalize(parents[-1]) if parents else own
        is_other = folder != own and folder in folders
        if not is_other and not any(map(OTHER_DATA.fullmatch, parents)):
            kept.append(path)
    return kept


def _rank(entry: VideoEntry, path: str) -> tuple[bool, bool, bool, str]:
    """Return a sort key: replaced files first, then those in folders of the split and class."""
    parents = path.split("/")[:-1]
    return (
        not any(map(REPLACED.search, parents)),
        entry.split not in map(parse_split_folder, parents),
        _normalize(str(entry.label)) not in map(_normalize, parents),
        path,
    )


def _drop_absent_splits(
    entries: Sequence[VideoEntry], found: Sequence[bool]
) -> tuple[list[VideoEntry], list[str]]:
    present = {entry.split for entry, is_there in zip(entries, found, strict=True) if is_there}
    counts = Counter(entry.split for entry in entries)
    if not present:
        return list(entries), []
    absent = [split for split in counts if split not in present]
    return [entry for entry in entries if entry.split in present], [
        f"the split {split} is left out: none of its {counts[split]:,} videos exists"
        for split in absent
    ]


def _describe(
    entries: Sequence[VideoEntry],
    kept: Sequence[VideoEntry],
    found: Sequence[bool],
    copies: Sequence[tuple[str, str]],
    unlisted: Sequence[str],
    total: int,
) -> list[str]:
    """Return sentences about missing videos, copies, and videos that are in no list."""
    remarks = []
    splits = {entry.split for entry in kept}
    missing = Counter(
        entry.split
        for entry, is_there in zip(entries, found, strict=True)
        if not is_there and entry.split in splits
    )
    if missing and any(found):
        counts = ", ".join(f"{split} {count:,}" for split, count in missing.items() if split)
        remarks.append(
            f"{missing.total():,} of {len(kept):,} listed videos are missing"
            + (f" ({counts})" if counts else "")
            + ": rejected.csv names them"
        )
    if copies:
        remarks.append(
            f"{len(copies):,} videos exist more than once: {copies[0][0]} is used, not "
            f"{copies[0][1]}" + (", and so on" if len(copies) > 1 else "")
        )
    if unlisted and any(found):
        remarks.append(
            f"{len(unlisted):,} of {total:,} videos in this folder are in no list that is used: "
            f"{join_some(unlisted)}"
        )
    return remarks


@lru_cache(maxsize=4096)
def _normalize(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())

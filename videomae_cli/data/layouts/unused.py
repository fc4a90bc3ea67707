"""Sentences about files and columns beside the lists of a data set that are not used."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.annotations import OTHER_SUFFIXES, SUFFIXES
from videomae_cli.data.layouts.file_search import FoundFiles, join_some
from videomae_cli.data.layouts.frame_folders import find_frame_folders, select_frames
from videomae_cli.data.layouts.list_file import ListFile
from videomae_cli.data.layouts.split_names import names_a_split
from videomae_cli.data.layouts.video_entry import Reading


def describe_lists(lists: Sequence[ListFile]) -> list[str]:
    """Return a sentence for each guess, each unused column, and each list with other columns."""
    remarks = [text for part in lists for text in (part.guess, part.segments) if text]
    remarks += [
        f"columns of {part.path.name} that are not used: {', '.join(part.unused)}"
        + ("" if _has_labels(part) else " (is one of them the label? --label-column)")
        for part in lists
        if part.unused
    ]
    if not any(map(_has_labels, lists)):
        parents = [Path(entry.path).parent.name for part in lists for entry in part.entries]
        names = sorted({*parents} - {""})
        if 1 < len(names) < len(parents):
            remarks.append(
                "no labels in the lists, and the folders in the paths are not used as classes: "
                f"{join_some(names)} (give the folder as SOURCE, or write path and class)"
            )
    for part in lists[1:]:
        if part.layout != lists[0].layout:
            remarks.append(f"{part.path.name} has another layout, {part.layout}: {part.columns}")
    return remarks


def _has_labels(part: ListFile) -> bool:
    return any(entry.label is not None or entry.cells for entry in part.entries)


def describe_unused(
    source: Path,
    files: FoundFiles,
    found: Mapping[Path, str],
    unnamed: Iterable[Path],
    listed: Collection[str],
    reading: Reading,
) -> list[str]:
    """Return sentences for the files and folders beside the lists that are not used."""
    if source.is_file():
        return []
    remarks = [
        f"{path.name} is not used: its name gives no split, those of the other lists do"
        for path in unnamed
    ]
    texts = [path.name for path, layout in found.items() if not layout]
    if texts:
        remarks.append(
            f"not used, because they list no videos: {join_some(texts)} (a file with class names "
            "is given by --classes)"
        )
    frames = [path for path in find_frame_folders(source) if path.parts]
    below = [path for path in files.others if len(path.parts) > 1 and _is_split_list(path)]
    if below:
        remarks.append(f"lists in folders below are not used: {join_some(below)}")
    remarks += _describe_unlisted(source, [*files.videos, *frames], listed)
    inside = {*frames, *map(Path, listed)}
    images = select_frames(files.others, inside)
    seen = {*(path.relative_to(source) for path in found), *below, *images}
    others = [path for path in files.others if path not in seen]
    return remarks + _describe_others([p for p in others if not reading.is_classes(source / p)])


def _describe_others(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return []
    return [
        f"not used, because they are neither videos nor lists: {len(paths)} "
        f"{'file' if len(paths) == 1 else 'files'} ({join_some(paths)})"
    ]


def _describe_unlisted(
    source: Path, videos: Sequence[Path], listed: Collection[str]
) -> Iterator[str]:
    """Yield a sentence if some videos are in a list, and others in none."""
    listed = {
        os.path.relpath(path, source) if Path(path).is_absolute() else path for path in listed
    }
    unlisted = [path.as_posix() for path in videos if path.as_posix() not in listed]
    unlisted = [path for path in unlisted if Path(path).with_suffix("").as_posix() not in listed]
    if unlisted and len(unlisted) < len(videos):
        yield (
            f"{len(unlisted)} of {len(videos)} videos in this folder are in no list: "
            f"{join_some(unlisted)}"
        )


def _is_split_list(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES | OTHER_SUFFIXES and names_a_split(path.stem)


def find_sibling_lists(source: Path) -> list[str]:
    """Return the names of text files beside a list that are named after splits."""
    return sorted(
        path.name
        for path in source.parent.iterdir()
        if path != source and _is_split_list(path) and path.is_file()
    )


def describe_beside(
    source: Path,
    videos: Sequence[Path],
    others: Sequence[Path],
    skipped: Sequence[Path],
    class_level: int,
) -> list[str]:
    """Return sentences about files that are not videos, and folders without videos."""
    remarks = []
    if others:
        remarks.append(
            f"not used, because they are not videos: {len(others)} "
            f"{'file' if len(others) == 1 else 'files'} ({join_some(others)})"
        )
    with_videos = {parent for video in videos for parent in video.parents}
    used = {*with_videos, *videos}
    parents = [path for path in sorted(with_videos) if len(path.parts) <= class_level]
    empty = [
        path.relative_to(source)
        for parent in parents
        for path in sorted((source / parent).iterdir())
        if path.is_dir() and not path.name.startswith(".") and path.relative_to(source) not in used
    ]
    if empty:
        remarks.append(f"folders without videos: {join_some(empty)}")
    if skipped:
        remarks.append(
            "not used, because they are hidden, or links to a folder that is read already: "
            f"{len(skipped)} ({join_some(skipped)})"
        )
    return remarks

"""Layouts `class-folders` and `videos`: classes and splits are given by folder names.

    class-folders   CLASS/.../x.mp4, or train/CLASS/x.mp4 with val and test beside train
    videos          all other folders: unlabelled, all for training (or train/x.mp4, val/y.mp4)

Class folders are recognised if all videos are exactly one level down, in at least two folders, and
not each in a folder of its own.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from videomae_cli.data.layouts.file_search import find_videos
from videomae_cli.data.layouts.split_names import parse_split
from videomae_cli.data.layouts.video_entry import VideoEntry, logger
from videomae_cli.errors import DataError


def recognise_classes(source: Path) -> str:
    """Describe the class folders of a source; return "" if there are none."""
    videos, has_splits = _find_videos_and_splits(source)
    level = int(has_splits)
    if not videos or any(len(video.parts) != level + 2 for video in videos):
        return ""
    classes = sorted({video.parts[level] for video in videos})
    if not 2 <= len(classes) < len(videos):
        return ""
    shown = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
    parents = " in " + ", ".join(_split_folders(videos)) if has_splits else ""
    return f"{len(classes)} folders of videos ({shown}){parents}"


def scan_classes(source: Path) -> Iterator[VideoEntry]:
    """List all videos; the first folder (below that of a split) is the class; else a DataError."""
    videos, has_splits = _find_videos_and_splits(source)
    _check_splits(source, videos, has_splits)
    for video in videos:
        parts = video.parts[int(has_splits) :]
        if len(parts) < 2:
            raise DataError(
                f"{source / video} is not in a class folder",
                "move it, or read all videos without labels: --layout videos",
            )
        yield _entry(video, parts[0], has_splits, source)


def recognise_videos(source: Path) -> str:
    """Describe the videos of a source; return "" if there are none."""
    videos, has_splits = _find_videos_and_splits(source)
    if not videos:
        return ""
    depths = Counter(len(video.parts) - 1 - has_splits for video in videos)
    where = "directly inside" if 0 in depths else "in nested folders"
    return f"{len(videos)} videos, {where}, no class folders: unlabelled"


def scan_videos(source: Path) -> Iterator[VideoEntry]:
    """List all videos, without labels; a DataError if the folder of a split has no videos."""
    videos, has_splits = _find_videos_and_splits(source)
    _check_splits(source, videos, has_splits)
    for video in videos:
        entry = _entry(video, None, has_splits, source)
        yield entry if entry.split else entry._replace(split="train")


def _find_videos_and_splits(source: Path) -> tuple[list[Path], bool]:
    """Return the videos, and whether all are in folders named after splits, train among them."""
    if not source.is_dir():
        return [], False
    videos, _ = find_videos(source)
    splits = {parse_split(video.parts[0]) if len(video.parts) > 1 else None for video in videos}
    return videos, bool(videos) and None not in splits and "train" in splits


def _split_folders(videos: list[Path]) -> list[str]:
    return sorted({video.parts[0] for video in videos})


def _check_splits(source: Path, videos: list[Path], has_splits: bool) -> None:
    """Warn about files that are not videos; check that no folder of a split is empty."""
    _, other_suffixes = find_videos(source)
    if other_suffixes:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in other_suffixes.most_common(4))
        logger.warning("%s: files without a video suffix are ignored: %s", source, counts)
    if not has_splits:
        return
    with_videos = set(_split_folders(videos))
    for folder in sorted(source.iterdir()):
        if folder.is_dir() and parse_split(folder.name) and folder.name not in with_videos:
            raise DataError(
                f"{folder} has no videos: the split is empty", "add videos, or remove the folder"
            )


def _entry(video: Path, label: str | None, has_splits: bool, source: Path) -> VideoEntry:
    split = parse_split(video.parts[0]) if has_splits else None
    return VideoEntry(video.as_posix(), label, split, source / video, 0)

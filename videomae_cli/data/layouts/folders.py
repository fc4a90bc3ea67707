"""Layouts `class-folders` and `videos`: the folders themselves say everything.

    class-folders   CLASS/.../x.mp4, or train/CLASS/x.mp4 with val and test beside train
    videos          anything else: unlabelled, all for training (or train/x.mp4, val/y.mp4)

Class folders are recognised when all videos lie exactly one level down, in at least two folders,
and not each in a folder of its own.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from videomae_cli.data.layouts.entry import Entry, logger, split_of, walk
from videomae_cli.errors import DataError


def recognise_classes(source: Path) -> str:
    """Say which class folders were found, or "" if these are none."""
    videos, has_splits = _videos(source)
    level = int(has_splits)
    if not videos or any(len(video.parts) != level + 2 for video in videos):
        return ""
    classes = sorted({video.parts[level] for video in videos})
    if not 2 <= len(classes) < len(videos):
        return ""
    shown = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
    below = " below " + ", ".join(_split_folders(videos)) if has_splits else ""
    return f"{len(classes)} folders of videos ({shown}){below}"


def scan_classes(source: Path) -> Iterator[Entry]:
    """List all videos; the first folder (below a split's) is the class.

    Raises:
        DataError: A split's folder has no videos; a video lies in no class folder.
    """
    videos, has_splits = _videos(source)
    _check_splits(source, videos, has_splits)
    for video in videos:
        place = video.parts[int(has_splits) :]
        if len(place) < 2:
            raise DataError(
                f"{source / video} lies in no class folder",
                "move it, or take all videos as unlabelled: --layout videos",
            )
        yield _entry(video, place[0], has_splits, source)


def recognise_videos(source: Path) -> str:
    """Say how many videos lie here, or "" if there are none."""
    videos, has_splits = _videos(source)
    if not videos:
        return ""
    depths = Counter(len(video.parts) - 1 - has_splits for video in videos)
    where = "directly inside" if 0 in depths else "in nested folders"
    return f"{len(videos)} videos, {where}, no class folders: unlabelled"


def scan_videos(source: Path) -> Iterator[Entry]:
    """List all videos below, without labels.

    Raises:
        DataError: A split's folder has no videos.
    """
    videos, has_splits = _videos(source)
    _check_splits(source, videos, has_splits)
    for video in videos:
        entry = _entry(video, None, has_splits, source)
        yield entry if entry.split else entry._replace(split="train")


def _videos(source: Path) -> tuple[list[Path], bool]:
    """Return the videos, and whether all lie below folders named after splits, train among them."""
    if not source.is_dir():
        return [], False
    videos, _ = walk(source)
    tops = {split_of(video.parts[0]) if len(video.parts) > 1 else None for video in videos}
    return videos, bool(videos) and None not in tops and "train" in tops


def _split_folders(videos: list[Path]) -> list[str]:
    return sorted({video.parts[0] for video in videos})


def _check_splits(source: Path, videos: list[Path], has_splits: bool) -> None:
    _, others = walk(source)
    if others:
        kinds = ", ".join(f"{count} {ending}" for ending, count in others.most_common(4))
        logger.warning("%s: files without a video's ending are left aside: %s", source, kinds)
    if not has_splits:
        return
    filled = set(_split_folders(videos))
    for folder in sorted(source.iterdir()):
        if folder.is_dir() and split_of(folder.name) and folder.name not in filled:
            raise DataError(f"{folder} has no videos: an empty split", "fill it or take it away")


def _entry(video: Path, label: str | None, has_splits: bool, source: Path) -> Entry:
    split = split_of(video.parts[0]) if has_splits else None
    return Entry(video.as_posix(), label, split, source / video, 0)

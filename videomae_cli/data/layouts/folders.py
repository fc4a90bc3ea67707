"""Layouts `class-folders` and `videos`: classes and splits are given by folder names.

    class-folders   CLASS/x.mp4 or CLASS/.../x.mp4; train/CLASS/x.mp4 or CLASS/train/x.mp4, with
                    val and test beside train; also one folder further down (UCF-101/CLASS/x.mp4)
    videos          all other folders: unlabelled, all for training (or train/x.mp4, val/y.mp4)

Class folders are recognised if there are at least two, with more videos than folders. Videos above
the class folders are rejected with a reason. A folder of numbered images is a video.
"""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.layouts.annotations import find_annotations
from videomae_cli.data.layouts.file_search import Tree, find_files, join_some
from videomae_cli.data.layouts.frame_folders import OTHER_DATA, find_frame_folders, select_frames
from videomae_cli.data.layouts.split_names import (
    find_split_in_name,
    names_a_split,
    parse_split_folder,
)
from videomae_cli.data.layouts.unused import describe_beside
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError, UsageError
from videomae_cli.units import plural

CLASS_FOLDERS, VIDEOS = "class-folders", "videos"
NOT_IN_A_CLASS = "above the class folders, so without a class"


def recognise_folders(source: Path, reading: Reading) -> dict[str, str]:
    """Return the layouts that a folder of videos can have, each with a description."""
    if not source.is_dir():
        return {}
    tree = read_tree(source)
    if not tree.videos:
        return {}
    layouts = {}
    if tree.class_level is not None:
        classes = sorted({label for video in tree.videos if (label := tree.label(video))})
        layouts[CLASS_FOLDERS] = (
            f"{plural(len(classes), 'folder')} of videos ({join_some(classes)})"
            f"{_describe_levels(tree)}"
        )
    depths = {len(video.parts) - 1 - (tree.split_level == 0) for video in tree.videos}
    where = "directly inside" if 0 in depths else "in nested folders"
    reason = "unlabelled" if tree.class_level is not None else "no class folders: unlabelled"
    layouts[VIDEOS] = f"{plural(len(tree.videos))}, {where}, {reason}"
    return layouts


def scan_folders(source: Path, layout: str, reading: Reading) -> Listing:
    """List the videos of a folder; a DataError if the folder of a split has none.

    In `class-folders`, a video above the class folders is rejected.
    """
    given = reading.path_column or reading.label_column or reading.split_column
    if given is not None:
        raise UsageError(
            f"{source}: no column {given!r}: the layout is {layout}, and --label-column, "
            "--path-column and --split-column are for tables",
            "give the table as SOURCE",
        )
    tree = read_tree(source)
    tree = tree._replace(others=[p for p in tree.others if not reading.is_classes(source / p)])
    if layout == CLASS_FOLDERS and tree.class_level is None:
        level = 0 if tree.split_level is None else tree.split_level + 1
        tree = tree._replace(class_level=level)
    elif layout == VIDEOS:
        tree = tree._replace(class_level=None)
    if tree.split_level == 0:
        _check_split_folders(source, tree)
    entries = [_entry(source, video, tree, layout) for video in tree.videos]
    annotations = find_annotations(source, tree.others, tree.videos)
    level = tree.class_level or 0
    remarks = describe_beside(source, tree.videos, tree.others, tree.skipped, level)
    return Listing(
        entries,
        [*remarks, *_describe_classes(tree)],
        [*annotations.with_splits, *_find_split_hints(tree)] if tree.split_level is None else [],
        annotations.with_videos if layout == VIDEOS else [],
    )


def read_tree(source: Path) -> Tree:
    """Find the videos below a folder, and the levels of splits and classes.

    Raises:
        DataError: Only some folders are named after splits.
    """
    found = find_files(source)
    frames = [path for path in find_frame_folders(source) if path.parts]
    images = select_frames(found.others, set(frames))
    others = [path for path in found.others if path not in images]
    tree = Tree(sorted([*found.videos, *frames]), others, found.skipped)
    level = _find_first_level(tree.videos)
    if _are_splits(source, tree.videos, level):
        tree = tree._replace(split_level=level)
        level = _find_first_level(tree.videos, level + 1, has_split=True)
    nested = [video for video in tree.videos if len(video.parts) > level + 1]
    classes = {video.parts[level] for video in nested}
    if not (2 <= len(classes) < len(nested) and 2 * len(nested) > len(tree.videos)):
        return tree
    _check_classes(source, classes, has_frames=bool(frames))
    below = {video.parts[level + 1] for video in nested if len(video.parts) > level + 2}
    all_below = all(len(video.parts) > level + 2 for video in nested)
    if tree.split_level is None and all_below and below and all(map(parse_split_folder, below)):
        if all(len(video.parts) > level + 3 for video in nested):
            raise _data_sets_error(source, classes, nested[0].parent)
        tree = tree._replace(split_level=level + 1)
    return tree._replace(class_level=level)


def _check_classes(source: Path, classes: set[str], *, has_frames: bool) -> None:
    """Raise a DataError if folders are named after folds, or after data such as masks."""
    other = sorted(name for name in classes if OTHER_DATA.fullmatch(name))
    if has_frames and other:
        raise DataError(
            f"{source}: {join_some(other)} beside the frames is no class, but other data",
            "give the folder of the RGB frames as SOURCE, or move the others away",
        )
    if all(map(names_a_split, classes)):
        raise DataError(
            f"{source}: the folders {join_some(sorted(classes))} are folds, not classes: several "
            "splits of the same data are not read",
            "give one of them as SOURCE, or rename the folders if they are classes",
        )


def _data_sets_error(source: Path, classes: set[str], folder: Path) -> DataError:
    """Return the error for folders below NAME/train, which may be the classes."""
    return DataError(
        f"{source}: are the folders {join_some(sorted(classes))} classes, or data sets with "
        f"classes below their splits ({folder})?",
        "give one of them as SOURCE; or write the classes in a table: path,label,split",
    )


def _find_first_level(videos: Sequence[Path], level: int = 0, *, has_split: bool = False) -> int:
    """Return the first level, from `level` on, at which most videos are in more than one folder.

    Unless a split is known (`has_split`), a folder that is named after one is such a level.
    """
    while True:
        deeper = [video for video in videos if len(video.parts) > level + 2]
        names = {video.parts[level] for video in videos if len(video.parts) > level + 1}
        if len(names) != 1 or 2 * len(deeper) <= len(videos):
            return level
        if not has_split and parse_split_folder(*names):
            return level
        level += 1


def _are_splits(source: Path, videos: Sequence[Path], level: int) -> bool:
    """Return whether all folders of a level are named after splits."""
    names = sorted({video.parts[level] for video in videos if len(video.parts) > level + 1})
    splits = [name for name in names if parse_split_folder(name)]
    if not splits:
        return False
    others = [name for name in names if name not in splits]
    is_deeper = any(
        len(video.parts) > level + 2 and video.parts[level] in splits for video in videos
    )
    # `train` may be a class: a vehicle
    if others and (len(splits) > 1 or is_deeper or parse_split_folder(splits[0]) != "train"):
        raise DataError(
            f"{source}: {join_some(splits)} are named after splits, but {join_some(others)} "
            f"{'is' if len(others) == 1 else 'are'} not",
            "move the other folders away; or, if these are names of classes, rename them",
        )
    return not others


def _check_split_folders(source: Path, tree: Tree) -> None:
    """Check that each folder named after a split contains videos."""
    with_videos = {video.parts[0] for video in tree.videos}
    for folder in sorted(source.iterdir()):
        if folder.is_dir() and parse_split_folder(folder.name) and folder.name not in with_videos:
            raise DataError(
                f"{folder} has no videos: the split is empty", "add videos, or remove the folder"
            )


def _entry(source: Path, video: Path, tree: Tree, layout: str) -> VideoEntry:
    split, label = tree.split(video), tree.label(video)
    rejection = NOT_IN_A_CLASS if layout == CLASS_FOLDERS and label is None else ""
    if layout == VIDEOS and split is None:
        split = "train"
    return VideoEntry(video.as_posix(), label, split, source / video, 0, rejection=rejection)


def _find_split_hints(tree: Tree) -> list[str]:
    """Return what speaks of a split in the names of videos, or of folders that are no classes."""
    level = tree.class_level
    folders = {name for v in tree.videos for n, name in enumerate(v.parts[:-1]) if n != level}
    hints = [f"the folder {name}" for name in sorted(folders) if names_a_split(name)]
    splits = {find_split_in_name(video.name) for video in tree.videos}
    return hints + ["the names of the videos"] * (len(splits) > 1 and None not in splits)


def _describe_levels(tree: Tree) -> str:
    assert tree.class_level is not None and tree.videos
    parts = []
    if tree.split_level is not None:
        level = tree.split_level
        names = sorted({v.parts[level] for v in tree.videos if len(v.parts) > level + 1})
        parts.append(" in " + ", ".join(names) if level < tree.class_level else " with splits")
    first = tree.class_level - (tree.split_level == tree.class_level - 1)
    if first > 0:
        parts.append(f", below {Path(*max(tree.videos, key=lambda v: len(v.parts)).parts[:first])}")
    return "".join(parts)


def _describe_classes(tree: Tree) -> list[str]:
    """Return a sentence about folders between the class and its videos, which are not classes."""
    if tree.class_level is None:
        folders = {video.parent for video in tree.videos if len(video.parts) > 1}
        if tree.split_level is None and len(tree.videos) == len(folders) > 1:
            return ["each video is in a folder of its own: the folders are not used"]
        first = 0 if tree.split_level is None else tree.split_level + 1
        inner = {Path(*video.parts[first:-1]) for video in tree.videos} - {Path()}
        return [f"folders are not used as classes: {join_some(sorted(inner))}"] * bool(inner)
    level = tree.class_level + 1 + (tree.split_level == tree.class_level + 1)
    below = {video.parts[level] for video in tree.videos if len(video.parts) > level + 1}
    return [
        f"the class is the name of the folder at level {tree.class_level + 1}; the folders below "
        f"are not used as classes: {join_some(sorted(below))}"
    ] * bool(below)

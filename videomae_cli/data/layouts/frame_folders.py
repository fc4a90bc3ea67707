"""Find folders of frames, and check what a list says about them."""

import os
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decoding.frame_series import find_frames, group_series, is_image
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.errors import DataError

MIN_IMAGES = 2  # of a folder that is recognised as a video; a list may name a folder with one


class FrameTree(NamedTuple):
    """Folders below a folder, relative to it and sorted; "." is the folder itself."""

    frame_folders: list[Path]
    """Folders that directly contain a numbered series of images, and no video files."""
    other_image_folders: list[Path]
    """Folders with images that are not: without numbers, a single one, or beside video files."""
    video_folders: list[Path]
    """Folders that directly contain video files."""

    @property
    def is_frame_folders(self) -> bool:
        """Whether the videos of this tree are folders of frames, and none is a file."""
        return bool(self.frame_folders) and not self.video_folders


def find_frame_folders(folder: Path) -> list[Path]:
    """Return the folders of frames in a folder and its subfolders, relative to it and sorted."""
    return search_frame_folders(folder).frame_folders


def search_frame_folders(folder: Path) -> FrameTree:
    """Search a folder and its subfolders for folders of frames.

    Names that start with a dot are skipped. Links are followed, but no folder is entered twice. A
    folder with several series is among the results: reading it says which there are.
    """
    tree = FrameTree([], [], [])
    entered: set[tuple[int, int]] = set()
    for current, folders, names in os.walk(folder, followlinks=True):
        state = Path(current).stat()
        if (state.st_dev, state.st_ino) in entered:
            folders.clear()
            continue
        entered.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(current).relative_to(folder)
        images = [name for name in names if is_image(name)]
        has_videos = any(_is_video(name) for name in names)
        if has_videos:
            tree.video_folders.append(relative)
        series = group_series(images)
        if series and len(series[0].names) >= MIN_IMAGES and not has_videos:
            tree.frame_folders.append(relative)
        elif images:
            tree.other_image_folders.append(relative)
    return FrameTree(*(sorted(folders) for folders in tree))


def find_range_problem(folder: Path, *, frames: int, start: int | None = None) -> str:
    """Return why the frames that a list gives for a folder cannot be used, or "".

    Also returns "" for a path that is not a readable folder of frames: `prepare` finds the reason
    when it checks the path, or decodes the folder.

    Args:
        folder: A folder of frames.
        frames: The number of frames in the list.
        start: The number of the first frame in the list, counted from 0, from 1, or as in the names
            of the images; None if the list does not give it.
    """
    try:
        found = find_frames(folder)
    except DataError:
        return ""
    count = len(found.names)
    if frames != count:
        return (
            f"the list gives {frames} frames, and the folder has {count}: a part of a folder is "
            "not supported yet"
        )
    if start not in (None, 0, 1, found.first):
        return (
            f"the list starts at frame {start}, and the folder at {found.first}: a part of a "
            "folder is not supported yet"
        )
    return ""


def _is_video(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES

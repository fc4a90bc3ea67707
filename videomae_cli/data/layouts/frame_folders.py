"""Folders of numbered images, each read as one video."""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from videomae_cli.data.decoding.frame_series import group_series, is_array, is_image
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES

MIN_IMAGES = 2  # of a folder that is recognised as a video; a list may name a folder with one
# names of folders that lie beside or inside those of the RGB frames, with other data of a video
OTHER_DATA = re.compile(
    r"(optical.?)?flow(.?[xyuv])?|depth|masks?|annotations?|thermal|infrared|ir|thumb(nail)?s?",
    re.IGNORECASE,
)
RGB_DATA = re.compile(r"rgb|colou?r|images?|imgs?|frames?", re.IGNORECASE)


def find_frame_folders(folder: Path) -> list[Path]:
    """Return the folders of frames in a folder and its subfolders, relative to it and sorted.

    They directly contain a numbered series of at least two images; "." is the folder itself. A
    folder with several series is returned too: reading it says which there are. If no folder has
    images, `.npy` arrays are frames. With video files
    anywhere below the folder there are none: the images are thumbnails, or frames of these videos.
    Folders of flow, depth or masks are left out if those of the RGB frames are beside them.

    Names that start with a dot are skipped. Links are followed, but no folder is entered twice.
    """
    found: set[Path] = set()
    arrays: set[Path] = set()
    entered: set[tuple[int, int]] = set()
    for current, folders, names in os.walk(folder, followlinks=True):
        state = Path(current).stat()
        if (state.st_dev, state.st_ino) in entered:
            folders.clear()
            continue
        entered.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if any(_is_video(name) for name in names):
            return []
        for is_kind, folders_of_kind in ((is_image, found), (is_array, arrays)):
            series = group_series(name for name in names if is_kind(name))
            if series and len(series[0].names) >= MIN_IMAGES:
                folders_of_kind.add(Path(current).relative_to(folder))
    found = found or arrays  # beside images, arrays are features or other data
    with_rgb = {path.parent for path in found if RGB_DATA.fullmatch(path.name)} | found
    return sorted(
        path for path in found if not (OTHER_DATA.fullmatch(path.name) and path.parent in with_rgb)
    )


def select_frames(files: Iterable[Path], folders: Collection[Path]) -> set[Path]:
    """Return those files that are frames of the folders: the images, or the arrays without any."""
    inside = [path for path in files if path.parent in folders]
    images = {path for path in inside if is_image(path.name)}
    with_images = {path.parent for path in images}
    return images | {
        path for path in inside if is_array(path.name) and path.parent not in with_images
    }


def _is_video(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES

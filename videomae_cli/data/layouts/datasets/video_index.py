"""Find videos by their names in the folders below a root.

The public lists of Kinetics name a clip by the ID of its video on YouTube, without folder and
suffix; the files are in class folders, and most copies add the times to the name:
`abseiling/0bcDEfghIJk_000010_000020.mp4`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from videomae_cli.data.decoding.frame_series import is_image
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES

MAX_DEPTH = 3  # folders between the root and a video: split, class, and one more
_CLIP = re.compile(r"(?P<id>.{11})_\d{6}_\d{6}")  # start and end in seconds


class VideoIndex:
    """The videos below a folder, by their names without folder and suffix.

    A folder that contains images and neither videos nor folders is a video too.
    """

    def __init__(self, root: Path, depth: int = MAX_DEPTH) -> None:
        self.paths = sorted(_list_videos(root, "", depth))
        """Relative to the root."""
        self._paths: dict[str, list[str]] = {}
        for path in self.paths:
            stem = stem_of(path)
            clip = _CLIP.fullmatch(stem)
            for name in {stem, clip["id"]} if clip else {stem}:
                self._paths.setdefault(name, []).append(path)

    def find(self, name: str) -> list[str]:
        """Return the paths of the videos of a name without suffix, relative to the root."""
        return self._paths.get(name, [])

    def find_stem(self, stem: str) -> list[str]:
        """Return the paths of the videos whose whole name without suffix is this one."""
        return [path for path in self.find(stem) if stem_of(path) == stem]


def stem_of(path: str) -> str:
    """Return the name of a video without its suffix; a folder of frames has none."""
    name = path.rpartition("/")[2]
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    return stem if suffix.lower() in VIDEO_SUFFIXES else name


def _list_videos(root: Path, folder: str, depth: int) -> Iterator[str]:
    """Yield the paths of videos relative to the root; folders that cannot be read are skipped."""
    has_images, has_others = False, not folder
    with suppress(OSError), os.scandir(root / folder) as entries:
        for entry in entries:
            path = folder + entry.name
            if entry.name.startswith("."):
                continue
            if os.path.splitext(entry.name)[1].lower() in VIDEO_SUFFIXES:  # noqa: PTH122
                has_others = True
                yield path
            elif is_image(entry.name):
                has_images = True
            elif entry.is_dir():
                has_others = True
                if depth:
                    yield from _list_videos(root, f"{path}/", depth - 1)
    if has_images and not has_others:
        yield folder[:-1]

"""Find videos by their names in the folders below a root.

The public lists of Kinetics name a clip by the ID of its video on YouTube, without folder and
suffix; the files are in class folders, and most copies add the times to the name:
`abseiling/0bcDEfghIJk_000010_000020.mp4`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES

MAX_DEPTH = 3  # folders between the root and a video: split, class, and one more
_CLIP = re.compile(r"(?P<id>.{11})_\d{6}_\d{6}")  # start and end in seconds


class VideoIndex:
    """The videos below a folder, by their names without folder and suffix."""

    def __init__(self, root: Path) -> None:
        self._paths: dict[str, list[str]] = {}
        for path in _list_videos(root, "", MAX_DEPTH):
            stem = PurePosixPath(path).stem
            clip = _CLIP.fullmatch(stem)
            for name in {stem, clip["id"]} if clip else {stem}:
                self._paths.setdefault(name, []).append(path)

    def find(self, name: str) -> list[str]:
        """Return the paths of the videos of a name without suffix, relative to the root."""
        return self._paths.get(name, [])


def _list_videos(root: Path, folder: str, depth: int) -> Iterator[str]:
    """Yield the paths of videos relative to the root; folders that cannot be read are skipped."""
    with suppress(OSError), os.scandir(root / folder) as entries:
        for entry in entries:
            path = folder + entry.name
            if os.path.splitext(entry.name)[1].lower() in VIDEO_SUFFIXES:  # noqa: PTH122
                yield path
            elif depth and not entry.name.startswith(".") and entry.is_dir():
                yield from _list_videos(root, f"{path}/", depth - 1)

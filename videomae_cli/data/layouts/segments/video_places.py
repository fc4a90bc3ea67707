"""Find the videos that annotations name, by path or by name, below a root."""

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes

from videomae_cli.data.decoding.frame_series import has_images
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.errors import DataError

_URL = re.compile(
    r"(?:file:(?://[^/]*)?|[A-Za-z][A-Za-z0-9+.-]+://[^/]*)(?P<path>[^?#]*)(?:[?#].*)?"
)


class VideoPlaces:
    """The videos and the folders of frames below a root, by their names with and without suffix."""

    def __init__(self, root: Path, wanted: Iterable[str]) -> None:
        """Search the root; folders are entered unless they are the frames of a wanted video."""
        self.root = root
        self.videos: list[str] = []
        """Paths of all video files, relative to the root."""
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._folders: dict[Path, str] = {}
        stems = {posixpath.basename(clean_name(name)) for name in wanted}
        stems |= {_remove_suffix(name) for name in stems}
        entered: set[tuple[int, int]] = set()
        for folder, folders, names in os.walk(root, followlinks=True):
            state = Path(folder).stat()
            if (state.st_dev, state.st_ino) in entered:
                folders.clear()
                continue
            entered.add((state.st_dev, state.st_ino))
            frames = [name for name in folders if name in stems and has_images(Path(folder, name))]
            for name in frames:
                self._by_name[name].append(self._relative(folder, name))
            folders[:] = sorted(
                name for name in folders if name not in frames and not name.startswith(".")
            )
            for name in sorted(names):
                if posixpath.splitext(name)[1].lower() in VIDEO_SUFFIXES and not name.startswith(
                    "."
                ):
                    path = self._relative(folder, name)
                    self.videos.append(path)
                    for key in {name, _remove_suffix(name)}:
                        self._by_name[key].append(path)

        self._files = {*self.videos}

    def _relative(self, folder: str, name: str) -> str:
        return posixpath.normpath(posixpath.join(os.path.relpath(folder, self.root), name))

    def find(self, where: str, names: Sequence[str], folder: Path) -> str:
        """Return the path of a video that has one of several names, relative to the root if it can.

        The names are tried in their order: as a path from `folder`, that of the annotations, and
        from the root, also without its first folders; then by the name of the file, also with
        another suffix. If there is no such video, the first name is returned, without folders.

        Raises:
            DataError: Several videos have the name.
        """
        for name in names:
            path = clean_name(name)
            parts = [part for part in path.split("/") if part not in ("", ".", "..")]
            tails = ("/".join(parts[start:]) for start in range(len(parts)))
            beside = posixpath.normpath(posixpath.join(self._find_relative(folder), path))
            if place := next((one for one in (beside, *tails) if one in self._files), ""):
                return place
            base = posixpath.basename(path)
            for key in (base, _remove_suffix(base)):
                if matches := self._by_name.get(key):
                    return self._choose(where, name, matches)
            if (folder / path).is_file():
                return os.path.normpath(folder.absolute() / path)
        return posixpath.basename(clean_name(names[0]))

    def _find_relative(self, folder: Path) -> str:
        """Return the path of a folder from the root."""
        if folder not in self._folders:
            self._folders[folder] = os.path.relpath(folder, self.root)
        return self._folders[folder]

    def _choose(self, where: str, name: str, matches: Sequence[str]) -> str:
        if len(matches) > 1:
            raise DataError(
                f"{where}: which video is {name!r}: {matches[0]} or {matches[1]}? Both are under "
                f"{self.root}",
                "give the folder of the right ones: --root",
            )
        return matches[0]


def clean_name(name: str) -> str:
    """Return the path of a video from a path of any system, or from a URL."""
    path = name.strip()
    if match := _URL.fullmatch(path):
        path = os.fsdecode(unquote_to_bytes(match["path"]))
    path = path.replace("\\", "/")
    return path[1:] if path[:1] == "/" and path[2:3] == ":" else path


def _remove_suffix(name: str) -> str:
    """Return a file name without the suffix of a video."""
    stem, suffix = posixpath.splitext(name)
    return stem if suffix.lower() in VIDEO_SUFFIXES else name

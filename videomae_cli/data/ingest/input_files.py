"""Find the videos that a command line names: files, folders, patterns, and a list on stdin."""

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from videomae_cli.data.decoding.frame_series import is_array
from videomae_cli.data.ingest.path_checks import MISSING, URL, find_path_problem
from videomae_cli.data.layouts.file_search import find_files
from videomae_cli.data.layouts.frame_folders import find_frame_folders
from videomae_cli.data.transcoding.pixel_file import is_video
from videomae_cli.errors import UsageError

STDIN = "-"
STREAM_HINT = "a stream or a device is only read when it is asked for: --stream {}"
_STREAM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.")
_NO_VIDEOS = "no videos in this folder"
_NO_MATCH = "no file matches this pattern"


class InputFile(NamedTuple):
    """One video to read, or an input that is none."""

    name: str
    """As the user wrote it, or below the folder that the user wrote."""
    problem: str = ""
    """Why it cannot be read; empty if it may be a video."""

    @property
    def path(self) -> Path:
        """The absolute path; links are kept."""
        return Path(os.path.abspath(self.name))  # noqa: PTH100  (resolve() would follow links)


def find_input_files(inputs: Sequence[str], stdin: IO[bytes]) -> list[InputFile]:
    """Return the videos that are named, in this order; a video that is named twice once.

    Args:
        inputs: Files, folders (searched with their subfolders; a folder of numbered images is one
            video), patterns such as `clips/**/*.mp4`, or `-` for a list on stdin.
        stdin: One input per line, or between NUL characters.

    Raises:
        UsageError: There is no input, or a stream or a device is named.
    """
    names = [one for word in inputs for one in (_read_list(stdin) if word == STDIN else [word])]
    if not names:
        raise UsageError(
            "no videos given" if not inputs else "the list on stdin is empty",
            "give files, folders or patterns, or - and a list on stdin: ls *.mp4 | videomae"
            " predict -",
        )
    found: dict[Path, InputFile] = {}
    for file in (file for name in names for file in _find(name)):
        found.setdefault(file.path, file)
    return list(found.values())


def _read_list(stdin: IO[bytes]) -> Iterator[str]:
    """Return the lines of a list; those of `find -print0` are separated by NUL."""
    content = stdin.read()
    lines: Iterable[bytes] = content.split(b"\0") if b"\0" in content else content.splitlines()
    return (os.fsdecode(line) for line in lines if line.strip())


def _find(name: str) -> Iterator[InputFile]:
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        yield from _find_matches(name)
        return
    except OSError as error:
        yield InputFile(name, f"cannot be read: {error.strerror}")
        return
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode):
        raise UsageError(f"{name} is a device or a pipe, not a file", STREAM_HINT.format(name))
    if stat.S_ISDIR(mode):
        yield from _find_in_folder(name)
    else:
        yield InputFile(name)


def _find_matches(name: str) -> Iterator[InputFile]:
    """Return what a pattern stands for that the shell did not replace."""
    if _STREAM.match(name):
        raise UsageError(f"{name} is a URL, not a file", STREAM_HINT.format(name))
    if not glob.has_magic(name):
        yield InputFile(name, "a URL: download it first" if URL.match(name) else MISSING)
        return
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  (keeps the name as written)
    if not matches:
        yield InputFile(name, _NO_MATCH)
    for match in matches:
        if Path(match).is_dir():
            # `clips/**` also matches the folders whose files it matches
            yield from () if name.endswith("**") else _find_in_folder(match)
        else:
            yield InputFile(match)


def _find_in_folder(name: str) -> Iterator[InputFile]:
    folder = Path(name)
    try:
        files = find_files(folder)
        videos = files.videos or _find_pixel_files(folder, files.others)
        videos = videos or find_frame_folders(folder)
    except OSError as error:
        yield InputFile(name, f"cannot be read: {error.strerror}")
        return
    if not videos:
        yield InputFile(name, _NO_VIDEOS)
    for video in videos:
        yield InputFile(str(folder / video))


def _find_pixel_files(folder: Path, files: Iterable[Path]) -> list[Path]:
    """Return the files of `prepare --uint8`; of a folder of single frames one header is read."""
    arrays: dict[Path, list[Path]] = {}
    for file in files:
        if is_array(file.name):
            arrays.setdefault(file.parent, []).append(file)
    return [file for names in arrays.values() if is_video(folder / names[0]) for file in names]


def find_problem(file: InputFile) -> str:
    """Return why an input cannot be read, or ""; the contents are not read."""
    return file.problem or find_path_problem(str(file.path), Path("/"))

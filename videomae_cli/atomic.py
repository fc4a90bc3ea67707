"""Write files and directories so that they appear complete or not at all.

Everything is written under a hidden name beside the destination, flushed to the disk, and renamed.
After a crash the destination is the old one or the new one; a leftover `.name.partial-*` or
`.name.former-*` is never read. All functions raise `OSError` with the name of the destination;
callers turn it into the error of their own kind. `LineLog` alone writes in place, line by line.
"""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from videomae_cli.report import format_json

_PARTIAL = re.compile(r"\.(?P<stem>.+)\.partial-\d+(?P<suffix>\.[^.]+)?", re.DOTALL)


def write_text(path: Path, text: str, *, errors: str = "strict") -> None:
    """Write a UTF-8 text file; parents are created as needed.

    Args:
        path: The file.
        text: Its content.
        errors: Treatment of characters that UTF-8 cannot encode, as for `str.encode`.

    Raises:
        OSError: The place cannot be written to, or the disk is full.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors=errors, newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write plain data as an indented JSON file, as `write_text` and `format_json` do.

    Raises:
        OSError: The place cannot be written to, or the disk is full.
    """
    write_text(path, format_json(value, indent=1, ensure_ascii=True) + "\n")


@contextmanager
def replacing(path: Path, number: int | None = None) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` when the block ends without an exception.

    The suffix is kept, for writers that choose a format by it. Parents are created as needed.

    Args:
        path: The destination.
        number: Of the hidden name; None: that of this process, which another machine may use too.

    Raises:
        OSError: The place cannot be written to, or the disk is full.
    """
    number = os.getpid() if number is None else number
    partial = path.with_name(f".{path.stem}.partial-{number}{path.suffix}")
    with _errors_name(path, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        partial.touch(exist_ok=False)  # a new file, never a link that lay there
        try:
            yield partial
            sync(partial)
            partial.replace(path)
            sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory; it becomes `path` when the block ends without an exception.

    An existing `path` is replaced with everything in it.

    Raises:
        OSError: The place cannot be written to, or the disk is full.
    """
    former = _former(path)
    with _directory_beside(path) as partial, _errors_name(path, partial):
        yield partial
        for file in partial.iterdir():
            sync(file)
        sync(partial)
        try:
            if path.exists():
                path.rename(former)
            partial.rename(path)
            sync(path.parent)
        finally:
            if path.exists():
                shutil.rmtree(former, ignore_errors=True)


def remove_directory(path: Path) -> None:
    """Remove a directory; after a crash it is complete or gone.

    Raises:
        OSError: It cannot be removed.
    """
    former = _former(path)
    path.rename(former)
    shutil.rmtree(former)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of writing or removing `path`.

    Only for a path that no other process is writing at the moment.

    Args:
        path: A file or directory; its name may contain `*`.

    Raises:
        OSError: A leftover cannot be removed.
    """
    for pattern in (f".{path.stem}.partial-*{path.suffix}", f".{path.name}.former-*"):
        for leftover in path.parent.glob(pattern):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def remove_partial_files(paths: Collection[Path]) -> None:
    """Remove what killed processes left of writing these files; each folder is listed once.

    Other files in the same folders may be written by other processes at the moment, these may not.

    Raises:
        OSError: A leftover cannot be removed.
    """
    for folder in {path.parent for path in paths}:
        for leftover in folder.glob(".*.partial-*"):
            name = _PARTIAL.fullmatch(leftover.name)
            if name and folder / f"{name['stem']}{name['suffix'] or ''}" in paths:
                leftover.unlink()


@contextmanager
def replacing_several(path: Path) -> Iterator[Path]:
    """Yield an empty directory; its files move beside `path` at the end, `path` itself last.

    For a file with companion files: it never appears without them.

    Raises:
        OSError: The place cannot be written to, or the disk is full.
    """
    with _directory_beside(path) as partial, _errors_name(path, partial):
        yield partial
        files = sorted(partial.iterdir(), key=lambda file: file.name == path.name)
        for file in files:
            sync(file)
        for file in files:
            file.replace(path.with_name(file.name))
        sync(path.parent)


class LineLog:
    """A text file to which whole lines are added: a kill costs the last line at most.

    Used with `with`; opening and writing raise an OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "LineLog":
        """Open the file for new lines."""
        self._file: IO[str] = self.path.open("a", encoding="ascii")
        if self._file.tell():
            self.write("")  # ends a line that a killed process left unfinished
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        with suppress(OSError):  # of text that could not be written; `write` has raised it already
            self._file.close()

    def write(self, line: str) -> None:
        """Add a line, which other processes can read at once."""
        self._file.write(line + "\n")
        self._file.flush()


def read_last_line(path: Path, longest: int) -> str:
    """Return the last line of an ASCII file, if it has at most `longest` bytes; "" without one."""
    try:
        with path.open("rb") as file:
            file.seek(-min(file.seek(0, os.SEEK_END), 2 * longest), os.SEEK_END)
            return file.read().decode("ascii", "replace").rstrip("\n").rpartition("\n")[2]
    except OSError:
        return ""


def sync(path: Path) -> None:
    """Flush a file, or the entries of a directory, to the disk.

    Raises:
        OSError: The disk refused.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle on a directory
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _former(path: Path) -> Path:
    return path.with_name(f".{path.name}.former-{os.getpid()}")


@contextmanager
def _directory_beside(path: Path) -> Iterator[Path]:
    """Yield an empty hidden directory beside `path`, and remove what is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _errors_name(path: Path, partial: Path) -> Iterator[None]:
    """Let a failed write name the destination; the system names nothing, or the hidden file."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(error.filename).is_relative_to(partial):
            error.filename, error.filename2 = str(path), None
        raise

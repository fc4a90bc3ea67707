"""Files and directories that appear whole or not at all.

Write under a hidden name beside the destination, force the bytes to the disk, rename. A crash
leaves the old file, or the new one, and at worst a `.name.partial-*` that nothing ever reads.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from videomae_cli.errors import CheckpointError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends without an exception it becomes `path`.

    The suffix is kept, for writers that choose a format by it. Parents are made as needed.

    Raises:
        CheckpointError: The place cannot be written to, or the disk is full.
    """
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    with _explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        partial.touch(exist_ok=False)  # ours, and no link that someone laid there
        try:
            yield partial
            sync(partial)
            partial.replace(path)
            sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def replacing_directory(path: Path, *, ours: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty directory to fill; when the block ends without an exception it becomes `path`.

    Args:
        path: The directory to create.
        ours: File names that an existing `path` may hold and lose. With anything else in it, it is
            left alone.

    Raises:
        CheckpointError: `path` is a file, or a directory that holds something not in `ours`, or
            cannot be written to.
    """
    refuse_strangers(path, ours)
    former = path.with_name(f".{path.name}.former-{os.getpid()}")
    with _explaining(path), _beside(path) as partial:
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


@contextmanager
def replacing_several(path: Path) -> Iterator[Path]:
    """Yield an empty directory; what is in it at the end moves beside `path`, `path` itself last.

    For a file with companions: it is never there without them, unless files of an older one are.

    Raises:
        CheckpointError: The place cannot be written to, or the disk is full.
    """
    with _explaining(path), _beside(path) as partial:
        yield partial
        files = sorted(partial.iterdir(), key=lambda file: file.name == path.name)
        for file in files:
            sync(file)
        for file in files:
            file.replace(path.with_name(file.name))
        sync(path.parent)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
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
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}",
            "is there room on the disk, and may you write there?",
        ) from error


def refuse_strangers(path: Path, ours: Collection[str]) -> None:
    """Make sure that replacing `path` loses nothing but the files named in `ours`.

    Raises:
        CheckpointError: It would.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise CheckpointError(f"{path} is a file, not a directory", "choose another destination")
    strangers = sorted(file.name for file in path.iterdir() if file.name not in ours)
    if strangers:
        raise CheckpointError(
            f"{path} holds other files ({', '.join(strangers[:3])}), so it is not replaced",
            "choose an empty or a new directory",
        )


def sync(path: Path) -> None:
    """Force a file, or the entries of a directory, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle on a directory
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

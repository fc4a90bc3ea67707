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
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
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
        CheckpointError: `path` is a file, or a directory that holds something not in `ours`.
    """
    refuse_strangers(path, ours)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    former = path.with_name(f".{path.name}.former-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        for file in partial.iterdir():
            sync(file)
        sync(partial)
        if path.exists():
            path.rename(former)
        partial.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if path.exists():
            shutil.rmtree(former, ignore_errors=True)


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

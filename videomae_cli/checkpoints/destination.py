"""Write checkpoints atomically; a failed write raises `CheckpointError`."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from videomae_cli import atomic
from videomae_cli.errors import CheckpointError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; see `atomic.replacing`."""
    with _write_errors(path), atomic.replacing(path) as partial:
        yield partial


@contextmanager
def replacing_directory(path: Path, *, replaceable: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty directory to fill; see `atomic.replacing_directory`.

    `replaceable` are the names of files that an existing `path` may contain and lose.
    """
    _refuse_other_files(path, replaceable)
    with _write_errors(path), atomic.replacing_directory(path) as partial:
        yield partial


@contextmanager
def replacing_several(path: Path) -> Iterator[Path]:
    """Yield an empty directory whose files move beside `path`; see `atomic.replacing_several`."""
    with _write_errors(path), atomic.replacing_several(path) as partial:
        yield partial


def _refuse_other_files(path: Path, replaceable: Collection[str]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise CheckpointError(f"{path} is a file, not a directory", "choose another destination")
    others = sorted(file.name for file in path.iterdir() if file.name not in replaceable)
    if others:
        raise CheckpointError(
            f"{path} contains other files ({', '.join(others[:3])}), so it is not replaced",
            "choose an empty or a new directory",
        )


def write_torch(path: Path, content: Mapping[str, object]) -> None:
    """Write a torch file."""
    with replacing(path) as partial:
        torch.save(dict(content), partial)


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}",
            "check the free space on the disk and your permission to write there",
        ) from error

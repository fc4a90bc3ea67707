"""Write to the prepared directory; a refusal of the disk becomes an error that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videomae_cli import atomic
from videomae_cli.errors import UsageError


def create_directory(out: Path) -> None:
    """Create the prepared directory, if it does not exist; a UsageError if that fails."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--out {out}: {error.strerror}", "give a directory that can be written"
        ) from error


def remove_leftovers(out: Path) -> None:
    """Remove the half-written lists and tables of runs that were killed; see `atomic`."""
    for names in ("*.csv", "*.json", "*.jsonl"):
        with writing(out):
            atomic.remove_leftovers(out / names)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of writing in this block into a UsageError that names the file."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{error.filename or path} cannot be written: {error.strerror or error}",
            "free some space, make it writable, or choose another --out",
        ) from error

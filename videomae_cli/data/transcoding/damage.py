"""Errors of reading files that `prepare --transcode` wrote and that are no longer as written."""

from pathlib import Path

from videomae_cli.errors import DataError

HINT = "run videomae prepare again, with the same --out; it writes the file anew"


def damage_error(path: Path, problem: str) -> DataError:
    """Return the error for a file with this problem."""
    return DataError(f"{path}: {problem}", HINT)


def past_end_error(path: Path, number: int, count: int) -> DataError:
    """Return the error for a frame number that the file does not have."""
    return damage_error(path, f"frame {number} is past the end: the video has {count} frames")

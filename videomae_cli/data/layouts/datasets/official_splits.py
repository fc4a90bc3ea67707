"""Data sets with three official splits, each a pair of lists for training and testing."""

import re
from collections.abc import Iterable
from pathlib import Path

from videomae_cli.data.layouts.datasets.source_files import SourceFiles
from videomae_cli.errors import DataError

NUMBERS = (1, 2, 3)


def name_layouts(prefix: str) -> tuple[str, ...]:
    """Return the layout names of the three splits."""
    return tuple(f"{prefix}-split{number}" for number in NUMBERS)


def find_lists(files: SourceFiles, pattern: re.Pattern[str]) -> dict[int, list[Path]]:
    """Return the lists of each split, from the one folder that has them.

    The group `split` of the pattern is the number of the split.

    Raises:
        DataError: Lists of the same name are in two folders.
    """
    found: dict[int, list[Path]] = {}
    for path, match in files.match(pattern):
        if path.name in {other.name for paths in found.values() for other in paths}:
            raise DataError(
                f"{files.source}: {path.name} is in two folders",
                f"keep one of them, or give one as SOURCE: {path.parent}",
            )
        found.setdefault(int(match["split"]), []).append(path)
    return found


def ask_split(files: SourceFiles, title: str, prefix: str, numbers: Iterable[int]) -> DataError:
    """Return the error that names the layouts of the splits of a data set."""
    layouts = [f"--layout {prefix}-split{number}" for number in sorted(numbers)]
    return DataError(
        f"{files.source}: {title} with its official lists; which of its splits to use is not known",
        f"choose it: {', '.join(layouts)} (its test list is used as val)",
    )


def read_number(layout: str) -> int:
    """Return the number of the split that a layout names."""
    return int(layout[-1])

"""Sentences about files and columns beside the lists of a data set that are not used."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.file_search import LIST_SUFFIXES, join_some
from videomae_cli.data.layouts.list_file import ListFile
from videomae_cli.data.layouts.split_names import find_split_in_name


def describe_lists(lists: Sequence[ListFile]) -> list[str]:
    """Return a sentence for each guess, each unused column, and each list with other columns."""
    remarks = [part.guess for part in lists if part.guess]
    remarks += [
        f"columns of {part.path.name} that are not used: {', '.join(part.unused)}"
        + ("" if _has_labels(part) else " (is one of them the label? --label-column)")
        for part in lists
        if part.unused
    ]
    for part in lists[1:]:
        if part.layout != lists[0].layout:
            remarks.append(f"{part.path.name} has another layout, {part.layout}: {part.columns}")
    return remarks


def _has_labels(part: ListFile) -> bool:
    return any(entry.label is not None for entry in part.entries)


def describe_unused(source: Path, found: Mapping[Path, str], unnamed: Iterable[Path]) -> list[str]:
    """Return sentences for the files and folders beside the lists that are not used."""
    if source.is_file():
        return []
    remarks = [
        f"{path.name} is not used: its name gives no split, those of the other lists do"
        for path in unnamed
    ]
    others = [path.name for path, layout in found.items() if not layout]
    if others:
        remarks.append(
            f"not used, because they list no videos: {join_some(others)} (a file with class names "
            "is given by --classes)"
        )
    return remarks


def find_sibling_lists(source: Path) -> list[str]:
    """Return the names of text files beside a list that are named after splits."""
    return sorted(
        path.name
        for path in source.parent.iterdir()
        if path != source
        and path.suffix.lower() in LIST_SUFFIXES
        and find_split_in_name(path.name)
        and path.is_file()
    )

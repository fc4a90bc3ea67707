"""The list files of a data set: tables (`table`) and lines without a header (`list-*`).

A source that is a file is its own list. The lists of a folder are named after splits, at most one
for each, or there is exactly one. Every other file of the folder is reported as not used.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from videomae_cli.data.decoding.frame_series import is_frame
from videomae_cli.data.layouts.annotations import find_annotations
from videomae_cli.data.layouts.columns import PATHS as PATH_COLUMNS
from videomae_cli.data.layouts.columns import normalize
from videomae_cli.data.layouts.fields import SAMPLE_LINES, read_lines
from videomae_cli.data.layouts.file_search import (
    LIST_SUFFIXES,
    MAX_LIST_BYTES,
    VIDEO_SUFFIXES,
    FoundFiles,
    find_files,
    join_some,
)
from videomae_cli.data.layouts.lines import (
    COLUMNS,
    find_list_layout,
    read_list,
)
from videomae_cli.data.layouts.list_file import (
    MULTI_LABEL,
    REGRESSION,
    ListFile,
    find_label_names,
    take_splits,
)
from videomae_cli.data.layouts.split_names import find_split_in_name, names_a_split
from videomae_cli.data.layouts.table import read_table, recognise_table
from videomae_cli.data.layouts.unused import describe_lists, describe_unused, find_sibling_lists
from videomae_cli.data.layouts.video_entry import Listing, Reading
from videomae_cli.errors import DataError, UsageError

TABLE = "table"


def recognise_lists(source: Path, reading: Reading) -> dict[str, str]:
    """Return the layout of the first list of a source, with a description; {} without lists."""
    found = _find_lists(source, reading)
    lists, _ = _select_lists(found)
    if not lists:
        return {}
    names = " and ".join(path.name for path in lists)
    layout = found[lists[0]]
    if layout != TABLE:
        return {layout: f"{names}: lines of `{COLUMNS[layout]}` without a header"}
    table = recognise_table(lists[0], reading)
    assert table is not None, "it was a table"
    used = ", ".join(table.columns.header[number] for number in table.columns.used)
    return {TABLE: f"{names}: a header with {used}"}


def scan_lists(source: Path, layout: str, reading: Reading) -> Listing:
    """Read all lists of a source; a list that is not in another layout is read in `layout`.

    Raises:
        DataError: A row is wrong, the list of a split is empty, or there are several lists for
            the same split.
    """
    found = _find_lists(source, reading)
    if source.is_file():
        found = {source: layout}
    paths, unnamed = _select_lists(found)
    if unnamed:
        _check_unnamed(source, paths, unnamed)
    is_given = not paths or found[paths[0]] != layout  # by the user, against what is detected
    lists = [_read(path, layout if is_given else found[path], reading) for path in paths]
    _check_given_columns(source, lists, reading)
    _check_splits(source, lists)
    _check_no_empty_split(source, found)
    entries, hint, remark = take_splits([entry for part in lists for entry in part.entries])
    listed = {os.path.normpath(entry.path) for entry in entries}
    files = find_files(source) if source.is_dir() else FoundFiles([], [], [])
    unused = describe_unused(source, files, found, unnamed, listed, reading)
    hints = [f"the column {name}" for part in lists for name in part.split_hints]
    hints += [part.path.name for part in lists if names_a_split(part.path.stem)]
    siblings = find_sibling_lists(source) if source.is_file() else []
    others = [path for path in files.others if source / path not in paths]
    annotations = find_annotations(source, others, [Path(path) for path in sorted(listed)])
    return Listing(
        entries,
        [*remark, *describe_lists(lists), *unused]
        + [f"not used, beside the list: {join_some(siblings)}"] * bool(siblings),
        [*hints, *hint, *siblings, *annotations.with_splits],
        label_names=find_label_names(lists),
    )


def _select_lists(found: Mapping[Path, str]) -> tuple[list[Path], list[Path]]:
    """Return the lists named after splits, train first, and the others; or all, and none."""
    lists = [path for path, layout in found.items() if layout]
    named = [path for path in lists if find_split_in_name(path.name)]
    order = ("train", "val", "test")
    named.sort(key=lambda path: order.index(find_split_in_name(path.name) or "train"))
    return (named, [path for path in lists if path not in named]) if named else (lists, [])


def _find_lists(source: Path, reading: Reading) -> Mapping[Path, str]:
    """Return the layout of each text file of a source; "" if it is not a list of videos."""
    if source.is_file():
        return {source: _recognise(source, reading)}
    candidates = sorted(
        path
        for path in source.iterdir()
        if path.suffix.lower() in LIST_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
        and path.stat().st_size < MAX_LIST_BYTES
        and not reading.is_classes(path)
    )
    return {path: _recognise_in_folder(path, reading, source) for path in candidates}


def _recognise_in_folder(path: Path, reading: Reading, folder: Path) -> str:
    """Return the layout of a file; its encoding matters only if it is a list."""
    try:
        return _recognise(path, reading, folder)
    except DataError:
        return _recognise(path, reading._replace(encoding="latin-1"), folder)


def _recognise(path: Path, reading: Reading, folder: Path | None = None) -> str:
    """Return the layout of a file; "" if it is no list. In a `folder`, paths must be plausible."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return ""
    roots = [root for root in (reading.root, folder) if root is not None]
    table = recognise_table(path, reading)
    if table is not None:
        is_path = normalize(table.columns.header[table.columns.path]) in PATH_COLUMNS
        if folder is None or is_path or reading.path_column:
            return TABLE
        rows = read_table(path, table, Reading(encoding=reading.encoding)).entries
        return TABLE if _are_paths([entry.path for entry in rows[:SAMPLE_LINES]], roots) else ""
    if path.suffix.lower() in (".json", ".jsonl"):
        return ""
    lines = read_lines(path, reading, SAMPLE_LINES)
    paths = [line.path for line in lines]
    if folder is None and any(line.fields for line in lines):
        is_list = sum(bool(line.fields) for line in lines) * 2 > len(lines)
    else:
        is_list = _are_paths(paths, roots)
    return find_list_layout(lines, reading.task) if is_list else ""


def _are_paths(texts: Sequence[str], roots: Sequence[Path]) -> bool:
    """Return whether most texts have a video suffix, or exist, perhaps without their suffix."""
    found = sum(
        Path(text).suffix.lower() in VIDEO_SUFFIXES or any(_exists(root, text) for root in roots)
        for text in texts
    )
    return 2 * found > len(texts)


def _exists(root: Path, text: str) -> bool:
    path = root / text
    try:
        if path.is_dir():  # `run 0` may be the name of a class beside the folder `run`
            return any(is_frame(file.name) for file in path.iterdir())
        return path.is_file() or any((root / f"{text}{end}").is_file() for end in VIDEO_SUFFIXES)
    except (OSError, ValueError):
        return False


def _read(path: Path, layout: str, reading: Reading) -> ListFile:
    table = recognise_table(path, reading) if layout == TABLE else None
    if layout == TABLE and table is None:
        raise DataError(
            f"{path}:1: no header with a column of paths",
            "write a header such as path,label,split, or name the column: --path-column",
        )
    result = read_list(path, layout, reading) if table is None else read_table(path, table, reading)
    if not result.entries:
        raise _empty_list_error(path)
    return result


def _check_unnamed(source: Path, named: Sequence[Path], unnamed: Sequence[Path]) -> None:
    """Raise a DataError if lists without a split in their names could be the training list."""
    if any(find_split_in_name(path.name) == "train" for path in named):
        return
    raise DataError(
        f"{source}: {named[0].name} is named after a split, {unnamed[0].name} is not, and no list "
        "is named train",
        f"rename {unnamed[0].name} to train{unnamed[0].suffix}, or give one list as SOURCE",
    )


def _check_given_columns(source: Path, lists: Sequence[ListFile], reading: Reading) -> None:
    """Raise a UsageError if no list has a column that the user names."""
    header = list(dict.fromkeys(name for part in lists for name in part.header))
    for name in (reading.path_column, *reading.label_columns, reading.split_column):
        if name is not None and normalize(name) not in map(normalize, header):
            parts = [normalize(part) in map(normalize, header) for part in name.split(",")]
            several = f"; several label columns need {MULTI_LABEL} or {REGRESSION}"
            raise UsageError(
                f"{source}: no column {name!r}",
                f"the columns are: {', '.join(name or '(no name)' for name in header) or 'none'}"
                + (several if all(parts) else ""),
            )


def _check_splits(source: Path, lists: Sequence[ListFile]) -> None:
    """Raise a DataError if two lists contain videos of the same split."""
    seen: dict[str | None, Path] = {}
    for part in lists:
        for split in {entry.split for entry in part.entries}:
            first = seen.setdefault(split, part.path)
            if first != part.path or (None in seen and len(seen) > 1 and len(lists) > 1):
                raise _several_lists_error(source, sorted({one.path.name for one in lists}))


def _several_lists_error(source: Path, names: Sequence[str]) -> DataError:
    return DataError(
        f"{source} contains several lists for the same videos: {', '.join(names)}",
        "give one of them as SOURCE, or move one list for each of train, val and test to a folder "
        "of their own",
    )


def _check_no_empty_split(source: Path, found: Mapping[Path, str]) -> None:
    for path, layout in found.items():
        is_named = source.is_dir() and find_split_in_name(path.name)
        if not layout and is_named and not path.read_bytes().strip():
            raise _empty_list_error(path)


def _empty_list_error(path: Path) -> DataError:
    """Return the error for a list without videos."""
    split = find_split_in_name(path.name)
    return DataError(
        f"{path}:1: no videos listed" + (f": the split {split} is empty" if split else ""),
        "add videos to the list, or remove it",
    )

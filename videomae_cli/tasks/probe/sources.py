"""Which videos were cut from one source: from a column of a list, or guessed from file names.

A model that has seen one clip of a source recognises the others; a random split measures that.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np

from videomae_cli.data.layouts.columns import normalize
from videomae_cli.data.layouts.table import read_rows, recognise_table
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.data.manifest import DATASET, Manifest, Video
from videomae_cli.data.transcoding.output_names import find_source_name
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import shell_word
from videomae_cli.tasks.probe.samples import Index

LISTS = (".csv", ".tsv", ".txt", ".json", ".jsonl")
EXAMPLES = 3
# parts of the names of columns that may say where a video comes from
HINTS = ("source", "group", "subject", "person", "actor", "signer", "speaker", "scene", "session")
# `name_000010_000020`: a part of a video, as in Kinetics
SECONDS = re.compile(r"^(?P<source>.+?)[_\-. ]+\d{6}[_\-. ]+\d{6}$")
# `v_Run_g01_c03`, `fi005_1`, `walk-12`: the last number, with a letter or word before it
NUMBER = re.compile(r"^(?P<source>.+?)(?P<mark>[_\-. ]+[A-Za-z]*)\d+$")


def read_sources(manifest: Manifest, videos: Sequence[Video], column: str) -> Index:
    """Return group_V, from a column of the list that the data were prepared from.

    A video whose cell is empty counts as a source of its own.

    Args:
        manifest: The prepared data; its dataset.json names the list, or a folder of lists.
        videos: The videos whose sources are wanted.
        column: The name of the column, or `FILE:COLUMN` for a column of another list.

    Raises:
        UsageError: There is no such column.
        DataError: A list cannot be read, or lacks a video.
    """
    place, _, name = column.rpartition(":")
    path = Path(place) if place else _prepared_list(manifest)
    if not name or path is None or not path.exists():
        raise UsageError(
            f"--group-column {column}: there is no list {path or 'that the data came from'}",
            "give it with its file: --group-column FILE.csv:COLUMN",
        )
    cells: dict[str, str] = {}
    headers: dict[str, None] = {}
    for file in _lists(path):
        cells.update(_read_column(file, name, headers))
    if not cells:
        columns = ", ".join(headers) or "none"
        raise UsageError(
            f"--group-column {column}: {path} has no column {name!r} beside a column of paths",
            f"its columns: {columns}; another list: --group-column FILE.csv:COLUMN",
        )
    return _match(videos, cells, path)


def suggest_column(manifest: Manifest) -> str:
    """Return a column of the prepared list whose name sounds like a source; "" if there is none."""
    path = _prepared_list(manifest)
    for file in _lists(path) if path is not None and path.exists() else ():
        with suppress(DataError, OSError):  # not a list
            table = recognise_table(file, Reading()) if file.suffix.lower() in LISTS else None
            for name in table.columns.unused if table is not None else ():
                if any(hint in normalize(name) for hint in HINTS):
                    return name
    return ""


def _prepared_list(manifest: Manifest) -> Path | None:
    """Return the list, or the folder of lists, that `videomae prepare` read."""
    if manifest.folder is None:
        return None
    try:
        source = json.loads((manifest.folder / DATASET).read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError):  # written by another program, with the same columns
        return None
    return Path(source) if isinstance(source, str) else None


def _lists(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in LISTS)
    return [path]


def _read_column(file: Path, name: str, headers: dict[str, None]) -> Mapping[str, str]:
    """Return the cells of a column by path; nothing if the file has no such column."""
    table = recognise_table(file, Reading(label_column=name))
    if table is None:
        return {}
    header = table.columns.header
    headers.update(dict.fromkeys(header))
    number = table.columns.label
    if number is None or normalize(header[number]) != normalize(name):
        return {}
    cells: dict[str, str] = {}
    for line, row in read_rows(file, read_text(file), table):
        path, cell = row[table.columns.path].strip(), row[number].strip()
        if cells.setdefault(path, cell) != cell:
            raise DataError(f"{file}:{line}: {path!r} has two sources, {cell!r} is one")
    return cells


def _match(videos: Sequence[Video], cells: Mapping[str, str], place: Path) -> Index:
    """Find the row of each video: by its path as written, without suffix, by its name alone."""
    tables: list[dict[str, str | None]] = [{}, {}, {}, {}]
    for text, cell in cells.items():
        for table, key in zip(tables, _keys(text), strict=True):
            # a name that two rows with different sources share identifies neither
            table[key] = cell if table.get(key, cell) == cell else None
    names: list[str] = []
    missing: list[str] = []
    for video in videos:
        keys = zip(tables, _keys(find_source_name(video)), strict=True)
        found = (table.get(key) for table, key in keys)
        source = next((each for each in found if each is not None), None)
        if source is None:
            missing.append(video.name)
            continue
        names.append(source or f"\0{video.name}")  # no source: one of its own
    if missing:
        raise DataError(
            f"{place}: no row for {len(missing):,} of {len(videos):,} videos, such as {missing[0]}",
            "its paths must be those of the prepared list",
        )
    return _number(names)


def _keys(text: str) -> tuple[str, ...]:
    path = PurePosixPath(text.replace("\\", "/"))
    return str(path), str(path.with_suffix("")) if path.name else "", path.name, path.stem


def guess_sources(videos: Sequence[Video], classes: Sequence[str]) -> Index | None:
    """Return likely group_V, from file and folder names; None if the names suggest none.

    Names with the same beginning up to the last number share a source: `v_Run_g01_c03` is a part of
    `v_Run_g01`, and `fi005_1` of `fi005`. Names that are only numbered (`fight_001`) do not, unless
    there are more such beginnings than classes. Else the folders, unless they are classes.
    """
    paths = [PurePosixPath(find_source_name(video).replace("\\", "/")) for video in videos]
    stems = [_stem_source(path.stem) for path in paths]
    by_name = [
        f"{path.parent}/{source}" if source else str(path)
        for path, (source, _) in zip(paths, stems, strict=True)
    ]
    is_part = [is_numbered for _, is_numbered in stems]
    shared = {key for key, count in _count(by_name).items() if count > 1}
    certain = {key for key, part in zip(by_name, is_part, strict=True) if part and key in shared}
    segments = _count([video.path for video in videos if video.start is not None])
    certain.update(path for path in segments if segments[path] > 1)
    if certain or len(shared) > max(len(classes), 1):
        return _number(by_name)
    folders = [str(path.parent) for path in paths]
    counts = _count(folders)
    names = {normalize(name) for name in classes}
    is_class = any(normalize(PurePosixPath(folder).name) in names for folder in counts)
    if not is_class and len(counts) > max(len(classes), 1) and max(counts.values()) > 1:
        return _number(folders)
    return None


def _stem_source(stem: str) -> tuple[str, bool]:
    """Return the name of the source, "" if none, and whether it contains a number itself."""
    match = SECONDS.match(stem)
    if match:
        return match["source"], True
    match = NUMBER.match(stem)
    if match is None:
        return "", False
    return match["source"], any(character.isdigit() for character in match["source"])


def _count(keys: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for key in keys:
        counts[key] += 1
    return counts


def _number(keys: Sequence[str]) -> Index:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def find_leaks(
    manifest: Manifest, videos: Sequence[Video], group_V: Index | None, split: str
) -> Iterator[str]:
    """Yield warnings about sources in two splits, or in two random folds.

    Sources that are not known (`group_V` is None) are guessed from names.
    """
    if group_V is not None:
        yield from describe_leaks(group_V, videos, split)
        return
    guess_V = guess_sources(videos, manifest.classes or ())
    column = suggest_column(manifest)
    hint = "; give the sources: --group-column COLUMN"
    if column:
        hint = f"; the list has a column {column!r}: --group-column {shell_word(column)}"
    if guess_V is not None:
        yield describe_guess(guess_V, videos) + hint
        yield from describe_leaks(guess_V, videos, split, likely="probably ")
    elif column:
        yield f"leak: random folds can separate clips of one source{hint}"


def describe_leaks(
    group_V: Index, videos: Sequence[Video], split: str, *, likely: str = ""
) -> Iterator[str]:
    """Yield a warning if one source has videos in train and in the split that is measured."""
    by_source: dict[int, dict[str, str]] = defaultdict(dict)
    for group, video in zip(group_V.tolist(), videos, strict=True):
        by_source[group].setdefault(video.split, video.name)
    both = [paths for paths in by_source.values() if "train" in paths and split in paths]
    if split == "train" or not both:
        return
    examples = "; ".join(
        f"{paths['train']} in train, {paths[split]} in {split}" for paths in both[:EXAMPLES]
    )
    yield (
        f"leak: {len(both):,} of {len(by_source):,} sources {likely}have clips in train and in"
        f" {split} ({examples}): a model can recognise the source; split by source"
    )


def describe_guess(group_V: Index, videos: Sequence[Video]) -> str:
    """Return a warning that random folds separate clips of one source, with an example."""
    first: dict[int, str] = {}
    for group, video in zip(group_V.tolist(), videos, strict=True):
        if group in first:
            pair = f"{first[group]} and {video.name}"
            break
        first[group] = video.name
    return (
        f"leak: clips seem to be cut from one source (such as {pair}), and random folds separate"
        " them: the cross-validated numbers are too high"
    )

"""Layout `hugging-face`: a folder of videos with metadata, as Hugging Face's `videofolder` reads.

    train/metadata.csv      file_name,label,...    also .jsonl and .parquet; one for each split
    train/x.mp4             a file_name is relative to the folder of its metadata

The splits are the folders (`train`, `validation`, `test`, perhaps below `data`); one file of
metadata in the folder of all videos is read too. Parquet needs the package pyarrow. Source:
https://huggingface.co/docs/datasets/video_dataset.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from videomae_cli.data.layouts.columns import INDEX, find_columns, normalize
from videomae_cli.data.layouts.datasets.file_lookup import Listed, locate_videos
from videomae_cli.data.layouts.datasets.source_files import (
    SourceFiles,
    load_json_lines,
    read_head,
)
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.list_file import ListFile, find_label_names, take_splits
from videomae_cli.data.layouts.split_names import parse_split_folder
from videomae_cli.data.layouts.table import (
    read_cells,
    read_rows,
    recognise_table,
    tabulate,
)
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.unused import describe_lists
from videomae_cli.data.layouts.video_entry import Listing, Reading
from videomae_cli.errors import DataError

LAYOUT = "hugging-face"
PARQUET = ".parquet"
_METADATA = re.compile(r"metadata\.(csv|jsonl|parquet)")
_PATH = re.compile(r"(\w+_)?file_name")


class _Rows(NamedTuple):
    header: list[str]
    numbered: list[tuple[int, list[str]]]
    """Line, or number of the record, and cells of each row."""
    guess: str = ""
    class_names: tuple[str, ...] = ()
    """Names of the values of the column `label`, from 0, if the file gives them."""


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if split folders have metadata, or Parquet lies beside the videos."""
    found = [path for path in _find_metadata(files) if _names_files(path)]
    if not any(path.suffix == PARQUET or path.parent != files.source for path in found):
        return {}
    names = join_some(path.relative_to(files.source) for path in found)
    return {LAYOUT: f"{names}: metadata with a column file_name"}


def scan(files: SourceFiles, layout: str, reading: Reading) -> Listing:
    """List the videos; a DataError if the label column is not known, or a row is wrong."""
    lists, names = [], {}
    for path in _find_metadata(files):
        rows = _read_rows(path, reading)
        part = _read_list(path, rows, reading)
        lists.append(_add_folder(part, path.parent.relative_to(files.source)))
        names[path.name] = rows.class_names
    if not lists:
        return Listing([])
    entries, hints, remark = take_splits([entry for part in lists for entry in part.entries])
    remarks = dict.fromkeys([*remark, *describe_lists(lists)])  # a split may repeat that of another
    listed = [Listed(entry, ()) for entry in entries]
    listing = locate_videos(listed, files.root, [], tuple(remarks))
    is_numbered = all(isinstance(entry.label, int | None) for entry in entries)
    classes = next(iter(names.values())) if is_numbered and len(set(names.values())) == 1 else ()
    return listing._replace(
        split_hints=[*hints, *(name for part in lists for name in part.split_hints)],
        label_names=find_label_names(lists),
        classes=classes,
    )


def _find_metadata(files: SourceFiles) -> list[Path]:
    """Return the metadata beside the videos, or those of the folders that are splits."""
    found = [path for path, _ in files.match(_METADATA)]
    if files.source.is_file():
        return []
    found = [path for path in found if path.parent == files.source] or [
        path
        for path in found
        if parse_split_folder(path.parent.name)
        and path.parent.parent in (files.source, files.source / "data")
    ]
    folders = [path.parent for path in found]
    twice = next((path for path in found if folders.count(path.parent) > 1), None)
    if twice is not None:
        raise DataError(
            f"{twice.parent} has several files of metadata", "keep one: csv, jsonl or parquet"
        )
    return sorted(found, key=lambda path: parse_split_folder(path.parent.name) != "train")


def _names_files(path: Path) -> bool:
    return path.suffix == PARQUET or "file_name" in read_head(path).partition("\n")[0]


def _read_rows(path: Path, reading: Reading) -> _Rows:
    if path.suffix == PARQUET:
        return _read_parquet(path)
    text = read_text(path, reading.encoding)
    if path.suffix == ".jsonl":
        records = load_json_lines(path, text.content)
        header, *rows = tabulate(records)
        return _Rows(header, list(enumerate(rows, start=1)), text.guess)
    found = _PATH.search(text.content)
    given = reading.path_column or (found[0] if found else None)
    table = recognise_table(path, reading._replace(path_column=given))
    if table is None:
        raise _no_path_error(path)
    return _Rows(list(table.columns.header), list(read_rows(path, text, table)), text.guess)


def _read_parquet(path: Path) -> _Rows:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError(
            f"{path}: Parquet needs pyarrow",
            'pip install "videomae[parquet]", or save the metadata as CSV',
        ) from error
    try:
        table = parquet.read_table(path, partitioning=None)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: not read as Parquet: {error}", "download it again") from error
    header, *rows = tabulate(table.to_pylist())
    try:
        info = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        class_names = tuple(info["info"]["features"]["label"]["names"])
    except (ValueError, KeyError, TypeError):
        class_names = ()
    return _Rows(header, list(enumerate(rows, start=1)), "", class_names)


def _read_list(path: Path, rows: _Rows, reading: Reading) -> ListFile:
    if reading.path_column is None:
        named = [name for name in rows.header if _PATH.fullmatch(name)]
        if not named:
            raise _no_path_error(path)
        column = "file_name" if "file_name" in named else named[0]
        reading = reading._replace(path_column=column)
    columns = find_columns(rows.header, reading)
    if columns is None:
        raise _no_path_error(path)
    part = read_cells(path, columns, rows.numbered, reading)._replace(guess=rows.guess)
    if columns.label is None and not columns.labels:
        _check_no_label(path, rows, part.unused)
    return part


def _check_no_label(path: Path, rows: _Rows, unused: Sequence[str]) -> None:
    """Raise a DataError if a column that is not used may contain classes: its values repeat."""
    possible = [
        name
        for number, name in enumerate(rows.header)
        if name in unused
        and normalize(name) not in INDEX
        and 1 < len({cells[number] for _, cells in rows.numbered}) <= len(rows.numbered) / 2
    ]
    if possible:
        raise DataError(
            f"{path}: no column label; the classes may be in {', '.join(possible)}",
            f"name the column: --label-column {possible[0]}; without labels: --layout videos",
        )


def _add_folder(part: ListFile, folder: Path) -> ListFile:
    """Return a list with paths from the source, and with the split that its folder names."""
    split = parse_split_folder(folder.name) if folder.parts else None
    entries = [
        entry._replace(path=str(PurePosixPath(folder, entry.path)), split=split or entry.split)
        for entry in part.entries
    ]
    return part._replace(entries=entries)


def _no_path_error(path: Path) -> DataError:
    return DataError(f"{path}: no column file_name", "name the column of the paths: --path-column")

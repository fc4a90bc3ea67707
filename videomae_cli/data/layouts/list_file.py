"""One list of videos, as read from a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.split_names import find_splits_in_paths
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError

QUOTES = "\"'"
# as pandas, spreadsheets and databases write an empty cell; "None" may be a class
MISSING = ("nan", "NaN", "<NA>", "NA", "N/A", "n/a", "#N/A", "NULL", "null")

MULTI_LABEL = "--task multi-label"
REGRESSION = "--task regression"


class ListFile(NamedTuple):
    """The videos that a file lists, with its format."""

    path: Path
    layout: str
    """Key of `LAYOUTS`."""
    columns: str
    """Description of the columns, for messages."""
    entries: Sequence[VideoEntry]
    unused: Sequence[str] = ()
    """Names of columns that are not read."""
    split_hints: Sequence[str] = ()
    """Of these, the names of columns that speak of a split."""
    guess: str = ""
    """A warning, if the encoding was guessed."""
    header: Sequence[str] = ()
    """Names of all columns of a table."""
    label_names: Sequence[str] = ()
    """Of these, the names of the label columns, if the task is not `single-label`."""
    segments: str = ""
    """A sentence about the columns that select parts of the videos; empty if there are none."""


def unquote(text: str) -> str:
    """Remove blanks and one pair of quotes around a text, in which a doubled quote is one."""
    text = text.strip()
    if len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]:
        return text[1:-1].replace(2 * text[0], text[0])
    return text


def parse_json(path: Path, content: str) -> object:
    """Return the value of a JSON text; a DataError if a key occurs twice in an object."""

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) < len(pairs):
            key = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
            raise DataError(f"{path}: the key {key!r} occurs twice", "remove one of them")
        return value

    return json.loads(content, object_pairs_hook=build)


def parse_labels(texts: Sequence[str]) -> list[int | str | None]:
    """Return labels as integers if all are whole numbers (`3`, `3.0`), else as they are.

    An empty text, and one of `MISSING`, is None.
    """
    texts = ["" if text in MISSING else text for text in texts]
    values = [parse_integer(text) for text in texts]
    is_numbered = all(
        value is not None or not text for value, text in zip(values, texts, strict=True)
    )
    return [
        value if is_numbered else text or None for value, text in zip(values, texts, strict=True)
    ]


def parse_integer(text: str) -> int | None:
    """Return a whole number that is written as `3`, `-1`, `3.0` or `1e1`; else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 and "_" not in text else None


def take_splits(
    entries: Sequence[VideoEntry],
) -> tuple[Sequence[VideoEntry], list[str], list[str]]:
    """Take splits from folders in the paths if nothing else gives them; else a hint, a remark."""
    splits = find_splits_in_paths([entry.path for entry in entries])
    if not splits or any(entry.split for entry in entries):
        return entries, [], []
    names = ", ".join(sorted({split for split in splits if split}))
    if None in splits:
        return entries, [f"a folder in the paths of some videos ({names})"], []
    by_path = [entry._replace(split=split) for entry, split in zip(entries, splits, strict=True)]
    return by_path, [], [f"the splits are taken from the folders in the paths: {names}"]


def find_label_names(lists: Sequence[ListFile]) -> Sequence[str]:
    """Return the names of the label columns; a DataError if two lists have different ones."""
    named = [part for part in lists if part.label_names]
    for part in named[1:]:
        if tuple(part.label_names) != tuple(named[0].label_names):
            raise DataError(
                f"{part.path}: the label columns {', '.join(part.label_names)} are not those of "
                f"{named[0].path.name}, {', '.join(named[0].label_names)}",
                "give all lists the same columns in the same order, or name them: --label-column",
            )
    return named[0].label_names if named else ()

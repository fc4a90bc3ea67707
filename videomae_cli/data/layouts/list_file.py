"""One list of videos, as read from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.video_entry import VideoEntry

QUOTES = "\"'"
MISSING = ("nan", "NaN", "<NA>")  # as pandas writes an empty cell


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


def unquote(text: str) -> str:
    """Remove blanks and one pair of quotes around a text."""
    text = text.strip()
    if len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]:
        return text[1:-1]
    return text


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

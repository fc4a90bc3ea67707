"""Split the lines of a list without a header into a path and fields.

Fields are separated by blanks, tabs, `,`, `;`, `|` or `::`, and may be quoted. The path ends at the
last suffix of a video, or else fields are counted from the right, so that it may contain blanks.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.list_file import unquote
from videomae_cli.data.layouts.split_names import parse_split
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading

SAMPLE_LINES = 2000  # lines that are read to recognise a format
_WORD = re.compile(r""""[^"]*"|'[^']*'|\S+""")
SEPARATORS = ("::", "\t", ",", ";", "|", None)  # None: blanks
_SUFFIXES = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
_VIDEO = re.compile(
    rf"""(?P<path>"[^"]+"|'[^']+'|.+\.(?:{_SUFFIXES}))\s*(?P<rest>(?:::|[\s,;|]).*)?""",
    re.IGNORECASE,
)


class Line(NamedTuple):
    """One line of a list."""

    number: int
    path: str
    fields: tuple[str, ...]


def read_lines(path: Path, reading: Reading, limit: int | None = None) -> list[Line]:
    """Split the lines of a list into a path and fields; blank lines are skipped."""
    content = read_text(path, reading.encoding).content
    numbered = [
        (number, text.strip())
        for number, text in enumerate(content.split("\n"), start=1)
        if text.strip()
    ][:limit]
    separator = _find_separator([text for _, text in numbered])
    return [Line(number, *_split_line(text, separator)) for number, text in numbered]


def _find_separator(texts: Sequence[str]) -> str | None:
    """Return the separator that divides most lines without a video suffix; None: blanks."""
    sample = [text for text in texts[:SAMPLE_LINES] if not _VIDEO.fullmatch(text)]
    if not sample:
        return None
    return next(
        (
            separator
            for separator in SEPARATORS
            if separator is None or 2 * sum(separator in text for text in sample) > len(sample)
        ),
        None,
    )


def _split_line(text: str, separator: str | None) -> tuple[str, tuple[str, ...]]:
    match = _VIDEO.fullmatch(text)
    if match:
        return unquote(match["path"]), _split_fields((match["rest"] or "").strip())
    if separator is not None:
        path, *fields = text.split(separator)
        return unquote(path), tuple(unquote(field) for field in fields)
    fields = []
    while found := re.fullmatch(r"(.*\S)\s+(-?[0-9.]+)", text):
        text = found[1]
        fields.insert(0, found[2])
    return unquote(text), tuple(fields)


def _split_fields(rest: str) -> tuple[str, ...]:
    """Split the text after a path: `0 1`, `,jump`, `::0`; blanks may be part of a name."""
    if not rest:
        return ()
    if rest.startswith("::"):
        return tuple(map(unquote, rest.removeprefix("::").split("::")))
    separator = rest[0] if rest[0] in ",;|" else "\t"
    if separator in rest:
        text = rest.removeprefix(separator)
        fields = next(csv.reader([text], delimiter=separator, skipinitialspace=True))
        while fields and not fields[-1].strip():
            fields.pop()  # after a separator at the end of the line
        return tuple(map(unquote, fields))
    words = [unquote(word) for word in _WORD.findall(rest)]
    is_split = len(words) == 2 and parse_split(words[-1])
    if is_split or all(re.fullmatch(r"-?[0-9.]+", word) for word in words):
        return tuple(words)
    return (unquote(rest),)

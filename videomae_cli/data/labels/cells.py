"""Split the texts of label columns into several labels, or into values.

Several labels of one video are written in one cell, as `a|b`, `a;b`, `a,b`, `['a', 'b']` or `0 1`,
in several columns or fields, or in one column per class that contains 0 or 1. `-` and `[]` are a
video with none of the classes.
"""

import ast
import math
import re
from collections.abc import Collection, Sequence

from videomae_cli.data.labels.checks import SEPARATOR
from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError

NO_CLASS = ("-", "[]")
_BRACKETS = re.compile(r"[\[({].*[\])}]")
_NUMBERS = re.compile(r"\d+(?:\s+\d+)*")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_BOOLEANS = {"0": 0.0, "0.0": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
Cells = tuple[VideoEntry, tuple[str, ...]]
"""A labelled entry and the texts of its label columns."""


def read_one_hot(labelled: Sequence[Cells], names: Sequence[str]) -> list[tuple[float, ...]] | None:
    """Return 0.0 or 1.0 for each column if there are several with nothing but these, else None."""
    texts = {cell.lower() for _, cells in labelled for cell in cells}
    if len(names) < 2 or not texts <= {"", *_BOOLEANS}:
        return None
    for entry, cells in labelled:
        if "" in cells:
            raise DataError(
                f"{entry.where}: no value in the column {names[cells.index('')]}",
                "write 0 or 1 in each column of a class",
            )
    return [tuple(_BOOLEANS[cell.lower()] for cell in cells) for _, cells in labelled]


def split_labels(labelled: Sequence[Cells], known: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Return the labels of each video; a text in `known` is one label, whatever is in it.

    Raises:
        DataError: A label is empty, given twice, or contains a separator of others.
    """
    texts = [cell for _, cells in labelled for cell in cells if cell and cell not in known]
    separator = _find_separator([text for text in texts if not _BRACKETS.fullmatch(text)])
    rows = []
    for entry, cells in labelled:
        parts: list[str] = []
        for cell in filter(None, cells):
            parts += [cell] if cell in known else _split_cell(entry, cell, separator)
        for part in parts:
            if not part or parts.count(part) > 1:
                problem = "an empty label" if not part else f"label {part!r} is given twice"
                raise DataError(
                    f"{entry.where}: {' '.join(cells)!r}: {problem}",
                    "write each label of a video once; columns of 0 and 1 need a header",
                )
        rows.append(tuple(parts))
    _check_parts(labelled, rows, separator, known)
    return rows


def _find_separator(texts: Sequence[str]) -> str | None:
    """Return the separator of several labels in one text; None if no text has several."""
    found = (separator for separator in "|;," if any(separator in text for text in texts))
    is_numeric = bool(texts) and all(_NUMBERS.fullmatch(text) for text in texts)
    return next(found, " " if is_numeric else None)


def _split_cell(entry: VideoEntry, text: str, separator: str | None) -> list[str]:
    if text in NO_CLASS:
        return []
    if _BRACKETS.fullmatch(text):
        return [str(value).strip() for value in _read_list(entry, text)]
    if separator is None:
        return [text]
    if separator == " ":
        return text.split()
    parts = [part.strip() for part in text.split(separator)]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _read_list(entry: VideoEntry, text: str) -> Sequence[object]:
    """Return the items of a list that is written as in Python or JSON, with or without quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        inside = text[1:-1].strip()
        return [part.strip().strip("\"'") for part in inside.split(",")] if inside else []
    items = list(value) if isinstance(value, list | tuple | set) else [value]
    if not all(type(item) in (str, int, float) for item in items):
        raise DataError(f"{entry.where}: {text!r} is not a list of labels")
    return sorted(map(str, items)) if isinstance(value, set) else items


def _check_parts(
    labelled: Sequence[Cells],
    rows: Sequence[tuple[str, ...]],
    separator: str | None,
    known: Collection[str],
) -> None:
    """Raise a DataError for a label that is probably several, in another notation."""
    labels = {part for parts in rows for part in parts}
    for (entry, _), parts in zip(labelled, rows, strict=True):
        for part in parts:
            pieces = SEPARATOR.split(part)
            is_tight = re.search(r"[|;]", part) is not None
            if part not in known and (is_tight or (len(pieces) > 1 and labels.issuperset(pieces))):
                others = "written in a list" if separator is None else f"separated by {separator!r}"
                raise DataError(
                    f"{entry.where}: is {part!r} one label or several? Others are {others}",
                    "separate all labels in the same way; if it is the name of a class, give all "
                    "names: --classes FILE",
                )


def read_values(entry: VideoEntry, cells: Sequence[str]) -> tuple[float, ...]:
    """Return the values of a video: from several columns, or from one text as `1.5|2`.

    Raises:
        DataError: A value is missing, no number, or not finite.
    """
    texts = list(cells)
    if len(cells) == 1:
        if _DECIMAL_COMMA.fullmatch(cells[0]):
            raise DataError(
                f"{entry.where}: {cells[0]!r}: a number with a decimal comma, or two values?",
                f"write {cells[0].replace(',', '.')} or {cells[0].replace(',', '|')}",
            )
        inside = cells[0][1:-1] if _BRACKETS.fullmatch(cells[0]) else cells[0]
        texts = [part for part in re.split(r"\s*[|;,]\s*|\s+", inside.strip()) if part]
    return tuple(_read_value(entry, text) for text in texts)


def _read_value(entry: VideoEntry, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
        if text.strip().lower().lstrip("+-") != "nan":
            raise DataError(
                f"{entry.where}: {text!r} is not a number" if text else f"{entry.where}: no value",
                "write a number for each value of each video",
            ) from None
    if not math.isfinite(value):
        raise DataError(
            f"{entry.where}: the value {text} is not finite", "remove the video, or correct it"
        )
    return value


def are_numbers(labelled: Sequence[Cells], rows: Sequence[tuple[str, ...]]) -> bool:
    """Return whether all labels are whole numbers; a DataError if only some are."""
    pairs = [
        (cells[0], part) for cells, parts in zip(labelled, rows, strict=True) for part in parts
    ]
    numbers = [pair for pair in pairs if parse_integer(pair[1]) is not None]
    names = [pair for pair in pairs if parse_integer(pair[1]) is None]
    if numbers and names:
        raise DataError(
            f"{names[0][0].where}: label {names[0][1]!r} is a name, but {numbers[0][0].where} has "
            f"a number, {numbers[0][1]}",
            "use numbers for all labels, or names for all labels",
        )
    return bool(numbers)

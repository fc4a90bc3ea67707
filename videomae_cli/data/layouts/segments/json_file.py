"""Read JSON of annotation tools, and name the place of a value that is missing or wrong."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.list_file import parse_json
from videomae_cli.data.layouts.text import read_text
from videomae_cli.errors import DataError


def read_json(path: Path, encoding: str | None = None) -> object:
    """Return the value in a file.

    Raises:
        DataError: The file is not JSON, or a key occurs twice in an object.
    """
    try:
        return parse_json(path, read_text(path, encoding).content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not JSON: {error.msg}", "export the file again"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deeply", "export the file again") from error


def get_object(where: str, value: object, key: str) -> Mapping[str, object]:
    """Return the object at a key of an object."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise DataError(f"{where}: no object {key!r}", "export the file again")
    return found


def get_list(where: str, value: object, key: str) -> Sequence[object]:
    """Return the list at a key of an object."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{where}: no list {key!r}", "export the file again")
    return found


def get_text(where: str, value: object, key: str) -> str:
    """Return the text, which is not empty, at a key of an object."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise DataError(f"{where}: no text {key!r}", "export the file again")
    return found.strip()


def get_number(where: str, value: object) -> float:
    """Return a finite number, which may be written as text."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise DataError(f"{where}: {value!r} is not a time", "export the file again")
    return number

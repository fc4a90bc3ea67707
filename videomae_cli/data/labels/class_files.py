"""Read the file that `--classes` names, in the forms in which class names are published.

name                    one per line, the first has label 0
INDEX NAME              UCF101 (`1 ApplyEyeMakeup`), in any order, from 0 or 1, any separator
id,name                 Kinetics: with a header, in either order
JSON                    ["run", ...], {"run": 0, ...}, {"0": "run", ...}, or a Hugging Face
                        configuration with id2label
pbtxt                   item { name: "run" id: 1 } (AVA)
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.list_file import parse_integer, parse_json, unquote
from videomae_cli.data.layouts.text import read_text
from videomae_cli.errors import DataError

# fmt: off
HEADER_WORDS = frozenset((
    "id", "ids", "index", "idx", "name", "names", "class", "classes", "label", "labels", "category",
    "categories", "class_id", "class_name", "label_id", "label_name", "action", "actions",
    "class_idx", "number", "no", "code", "title",
))
# fmt: on
_INDEX_FIRST = re.compile(r"\"?(\d+)\"?\s*(?:[,;|\t:.)]\s*|\s)(.+)")
_INDEX_LAST = re.compile(r"(.+?)\s*(?:[,;|\t:]\s*|\s)\"?(\d+)\"?")
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_PBTXT_ITEM = re.compile(rf"\{{((?:{_QUOTED}|[^{{}}\"'])*)\}}")
_PBTXT_NAMES = (r"\bdisplay_name", r"\b(?:name|label_name)")  # in the order of preference
_PBTXT_ID = re.compile(r"\b(?:id|label_id)\s*:\s*(\d+)")


class ClassNames(NamedTuple):
    """The names of the classes, in the order of their labels."""

    names: tuple[str, ...]
    first: int | None = None
    """The label of the first class in the file, 0 or 1; None if the file has names only."""
    source: str = ""
    is_file: bool = False
    """Whether they were read from lines of a file, of which the first may be no name."""
    guess: str = ""
    """A warning, if the encoding of the file was guessed."""


def read_classes(text: str, encoding: str | None = None) -> ClassNames:
    """Read class names from a file, or take a number of classes, named 0, 1, ...

    Raises:
        DataError: It is neither a number nor a file with names; a name occurs twice; a line does
            not fit the others.
    """
    if text.isdecimal():
        return ClassNames(tuple(str(number) for number in range(int(text))), source="--classes")
    path = Path(text)
    try:
        read = read_text(path, encoding)
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}", "--classes takes a file or a number"
        ) from error
    first: int | None
    if read.content.lstrip()[:1] in ("[", "{"):
        first, names = _read_json(path, read.content)
    elif _PBTXT_ITEM.search(read.content) and _PBTXT_ID.search(read.content):
        first, names = _read_pbtxt(path, read.content)
    else:
        first, names = _read_lines(path, read.content)
    duplicate = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if duplicate is not None or not names:
        raise DataError(f"{path}: {f'{duplicate!r} occurs twice' if names else 'no names'}")
    is_json = read.content.lstrip()[:1] in ("[", "{")
    return ClassNames(tuple(names), first, str(path), not is_json, read.guess)


def _read_lines(path: Path, content: str) -> tuple[int | None, list[str]]:
    lines = [(n, line.strip()) for n, line in enumerate(content.splitlines(), 1) if line.strip()]
    has_header = bool(lines) and _is_header(lines[0][1])
    body = lines[1:] if has_header else lines
    for form, number, name in ((_INDEX_FIRST, 1, 2), (_INDEX_LAST, 2, 1)):
        found = [form.fullmatch(text) for _, text in body]
        if body and all(
            m and re.search(r"[,;|\t]", unquote(m[name])) and not m[name].strip().startswith('"')
            for m in found
        ):
            raise DataError(
                f"{path}:{body[0][0]}: {body[0][1]!r} has more than an index and a name",
                "keep two columns",
            )
        pairs = [(int(match[number]), unquote(match[name])) for match in found if match]
        if body and len(pairs) == len(body):
            return _order(path, pairs)
        if 2 * len(pairs) > len(body):
            line, text = body[found.index(None)]
            raise DataError(
                f"{path}:{line}: {text!r} is not an index and a name, but other lines are",
                "write `INDEX NAME` in all lines, or names only",
            )
    if has_header:
        raise DataError(
            f"{path}:1: {lines[0][1]!r} looks like a header, not like the name of a class",
            "remove the first line",
        )
    _check_names(path, lines)
    return None, [unquote(text) for _, text in lines]


def _check_names(path: Path, lines: Sequence[tuple[int, str]]) -> None:
    """Raise a DataError if lines are not names only: comments, YAML, further columns."""
    separators = [{c for c in ",;|\t" if c in text} for _, text in lines]
    for line, text in lines:
        is_other = text[:1] == "#" or text[:2] == "- " or text[-1:] in (":", ",", ";", "|")
        if is_other or (
            len(lines) > 1 and not text.startswith('"') and set.intersection(*separators)
        ):
            raise DataError(
                f"{path}:{line}: {text!r} is not the name of a class only",
                "write one name per line, without comments and other columns, or `INDEX NAME`",
            )


def _is_header(text: str) -> bool:
    words = [unquote(cell).lower() for cell in re.split(r"[,;|\t]", text)]
    return all(word in HEADER_WORDS for word in words)


def _read_json(path: Path, content: str) -> tuple[int | None, list[str]]:
    try:
        value = parse_json(path, content)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    for key in ("id2label", "label2id"):
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            value = value[key]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return None, [name.strip() for name in value if name.strip()]
    if isinstance(value, dict):
        pairs = _pair(value)
        if pairs is not None:
            return _order(path, pairs)
    raise DataError(
        f"{path}: expected a list of names, or an object of numbers and names",
        'such as ["run", "jump"], {"run": 0, "jump": 1} or {"id2label": {"0": "run"}}',
    )


def _pair(value: Mapping[str, object]) -> list[tuple[int, str]] | None:
    """Return (number, name) of an object in either direction; None if it is neither."""
    keys = [parse_integer(key) for key in value]
    if None not in keys and all(isinstance(name, str) for name in value.values()):
        return [
            (n, str(name)) for n, name in zip(keys, value.values(), strict=True) if n is not None
        ]
    numbers = [parse_integer(str(number)) for number in value.values()]
    if None not in numbers:
        return [(n, name) for n, name in zip(numbers, value, strict=True) if n is not None]
    return None


def _read_pbtxt(path: Path, content: str) -> tuple[int, list[str]]:
    pairs = []
    for item in _PBTXT_ITEM.findall(content):
        number = _PBTXT_ID.search(re.sub(_QUOTED, "", item))
        found = (re.search(rf"{key}\s*:\s*({_QUOTED})", item) for key in _PBTXT_NAMES)
        name = next(filter(None, found), None)
        if number is None or name is None:
            raise DataError(f"{path}: an item without id and name: {' '.join(item.split())!r}")
        pairs.append((int(number[1]), _unescape(path, name[1][1:-1])))
    return _order(path, pairs)


def _unescape(path: Path, text: str) -> str:
    """Resolve escape sequences of Protocol Buffers' text format: quotes, and octal UTF-8."""
    if "\\" not in text:
        return text
    try:
        return text.encode().decode("unicode_escape").encode("latin-1").decode()
    except UnicodeError as error:
        raise DataError(f"{path}: the name {text!r} has an escape that is not read") from error


def _order(path: Path, pairs: Sequence[tuple[int, str]]) -> tuple[int, list[str]]:
    """Return the first number and the names in order; numbers must have no gaps."""
    names: dict[int, str] = {}
    for number, name in pairs:
        if number in names:
            raise DataError(f"{path}: {names[number]!r} and {name!r} have the same index, {number}")
        names[number] = name.strip()
    first = min(names, default=0)
    missing = [n for n in range(first, first + len(names)) if n not in names]
    if first not in (0, 1) or missing:
        problem = f"{missing[0]} is missing" if missing else f"the first is {first}"
        raise DataError(
            f"{path}: the indices of the classes must run from 0 or 1 without gaps: {problem}",
            "number the classes from 0",
        )
    return first, [names[number] for number in sorted(names)]

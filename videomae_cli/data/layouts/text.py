"""Read text files that people wrote, in any encoding.

UTF-8, and UTF-16 or UTF-32 with a byte order mark, are certain. Text of a Western language is read
as cp1252, and this guess is reported. Any other text fits several code pages, as short texts do:
the user is asked, and sees how it reads in those that `charset-normalizer` finds possible.
"""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.errors import DataError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the start of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LATIN = "cp1252"
# fmt: off
CODE_PAGES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "cp932",
    "euc_jp", "gb18030", "big5", "cp949",
]
# fmt: on
POSSIBLE = 0.15  # share of implausible characters
WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœß«»°–—‘’“”…")  # noqa: RUF001
GUESS_BYTES = 1 << 20


class Text(NamedTuple):
    """The content of a text file."""

    content: str
    encoding: str
    guess: str = ""
    """A warning with an example, if the encoding was guessed."""


def read_text(path: Path, encoding: str | None = None) -> Text:
    """Read a text file; `encoding` is that of files that are not UTF-8; None detects it.

    Raises:
        DataError: The file is not text in this encoding, or there is no such encoding.
        OSError: The file cannot be read.
    """
    data = path.read_bytes()
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return Text(_decode(path, data, name), name)
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(path, data) if encoding is None else _read_given(path, data, encoding)
    if "\0" in content:
        return _guess_utf16(path, data) if encoding is None else _read_given(path, data, encoding)
    if encoding is None or codecs.lookup(_check_name(path, encoding)).name == "utf-8":
        return Text(content, "utf-8")
    if data.isascii():  # as in ISO-2022-JP
        return _read_given(path, data, encoding)
    return Text(content, "utf-8", f"{path} is UTF-8: read as such, not as {encoding}")


def _guess_utf16(path: Path, data: bytes) -> Text:
    """Read UTF-16 without a byte order mark: in Latin text, every second byte is 0."""
    encoding = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    content = _decode(path, data, encoding)
    if "\0" in content:
        raise DataError(f"{path} is not text: it contains bytes of value 0")
    return Text(content, encoding, f"{path} has no byte order mark: read as {encoding}, a guess")


def _read_given(path: Path, data: bytes, encoding: str) -> Text:
    return Text(_decode(path, data, _check_name(path, encoding)), encoding)


def _check_name(path: Path, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise DataError(
            f"{path}: no encoding {encoding!r}", "such as utf-8, utf-16, cp1252, shift_jis, gb18030"
        ) from error
    return encoding


def _guess(path: Path, data: bytes) -> Text:
    """Read text of a Western language as cp1252; a DataError shows how other text may read."""
    if _is_western(data):
        content = data.decode(LATIN)
        line, examples = _find_difference([data.decode("ascii", "replace"), content])
        return Text(
            content,
            LATIN,
            f"{path} is not UTF-8: read as {LATIN}, a guess; line {line} becomes {examples[1]!r} "
            "(if that is wrong: --encoding NAME)",
        )
    from charset_normalizer import from_bytes  # slow to load, rarely used

    results = from_bytes(data[:GUESS_BYTES], cp_isolation=CODE_PAGES)
    names = [page.encoding for page in results if page.chaos <= POSSIBLE]
    texts = [data.decode(name, "replace") for name in names]
    line, examples = _find_difference([data.decode("ascii", "replace"), *texts])
    shown = "; ".join(
        f"--encoding {name}: {example!r}" for name, example in zip(names, examples[1:], strict=True)
    )
    raise DataError(
        f"{path}:{line}: the text is not UTF-8, and its encoding is not certain",
        f"give it: {shown or '--encoding NAME'}; or save the file as UTF-8",
    )


def _is_western(data: bytes) -> bool:
    """Return whether all but ASCII reads as single Western letters, or two in a row, in cp1252."""
    try:
        runs = re.findall(r"[^\x00-\x7f]+", data.decode(LATIN).lower())
    except UnicodeDecodeError:
        return False
    lengths = {len(run) for run in runs}
    return 1 in lengths and max(lengths) <= 2 and all(set(run) <= WESTERN for run in runs)


def _find_difference(texts: Sequence[str]) -> tuple[int, list[str]]:
    """Return the first line, from 1, in which texts differ, and that line of each text."""
    for number, lines in enumerate(zip(*(text.split("\n") for text in texts)), start=1):  # noqa: B905
        if len(set(lines)) > 1:
            return number, [line.strip() for line in lines]
    return 1, ["" for _ in texts]


def _decode(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"{path}:{line}: not text in {encoding}", "give the encoding: --encoding NAME"
        ) from error

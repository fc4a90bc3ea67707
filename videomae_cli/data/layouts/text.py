"""Read text files that people wrote, in any encoding.

UTF-8, and UTF-16 or UTF-32 with a byte order mark, are certain. Any other encoding is guessed by
`charset-normalizer`, and the guess is reported, because short texts fit several code pages.
"""

import codecs
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
LATIN = "cp1252"  # named in place of other code pages with the same result
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
    if encoding is None or codecs.lookup(_check_name(path, encoding)).name == "utf-8":
        return Text(content, "utf-8")
    if data.isascii():  # as in ISO-2022-JP
        return _read_given(path, data, encoding)
    return Text(content, "utf-8", f"{path} is UTF-8: read as such, not as {encoding}")


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
    from charset_normalizer import from_bytes  # slow to load, rarely used

    best = from_bytes(data[:GUESS_BYTES]).best()
    if best is None:
        raise DataError(
            f"{path} is not UTF-8, and its encoding is not recognised",
            "give it: --encoding NAME (such as cp1252, shift_jis, gb18030), or save the list as "
            "UTF-8",
        )
    encoding = best.encoding
    content = _decode(path, data, encoding)
    if data.decode(LATIN, "replace") == content:
        encoding = LATIN
    line, example = next(
        (number, text)
        for number, text in enumerate(content.splitlines(), start=1)
        if not text.isascii()
    )
    return Text(
        content,
        encoding,
        f"{path} is not UTF-8: read as {encoding}, a guess; line {line} becomes {example.strip()!r}"
        " (if that is wrong: --encoding NAME)",
    )


def _decode(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"{path}:{line}: not text in {encoding}", "give the encoding: --encoding NAME"
        ) from error

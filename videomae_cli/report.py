"""Messages and progress: tasks talk to a `Report`; `cli/console.py` decides how it looks.

Names of files and classes may contain anything: bytes that are not UTF-8, line breaks, escape
sequences. Every text goes through `printable` where it leaves the program for people, and through
`format_json` where it leaves for programs.
"""

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

# control characters, line separators, changes of the direction of writing, lone surrogates
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LINE_BREAK, _FIRST_BYTE, _LAST_BYTE = "\n", 0xDC80, 0xDCFF


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""Return text that any terminal, picture or UTF-8 file accepts, and that cannot harm them.

    A byte of a file name that is not UTF-8 (in Python a lone surrogate, `\udce9`) becomes `\xe9`, a
    control character `\x1b`, another character that cannot be written `\u202e`. All else is kept,
    backslashes too, so that the result is for reading only.

    Args:
        text: Any text.
        keep_lines: Whether line breaks are kept, for text of several lines.
    """
    if keep_lines:
        return _LINE_BREAK.join(map(printable, text.split(_LINE_BREAK)))
    return _UNPRINTABLE.sub(lambda match: escape(match.group()), text)


def encodable(text: str) -> str:
    """Return text that UTF-8 can encode: as `printable`, but only lone surrogates are escaped."""
    return _SURROGATE.sub(lambda match: escape(match.group()), text)


def make_encodable(value: Any) -> Any:
    """Return a value with `encodable` text, in tuples, lists and dicts too."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, tuple | list):
        return type(value)(map(make_encodable, value))
    if isinstance(value, dict):
        return {key: make_encodable(one) for key, one in value.items()}
    return value


def is_encodable(path: object) -> bool:
    """Return whether UTF-8 can encode a path; many libraries open no others."""
    return _SURROGATE.search(str(path)) is None


def escape(character: str) -> str:
    """Return a character as an escape sequence of ASCII characters, by the rule of `printable`."""
    code = ord(character)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shell_word(text: str) -> str:
    """Quote text as one word of a shell command that can be printed, copied and run (bash, zsh)."""
    if printable(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"


def format_json(value: object, *, indent: int | None = None, ensure_ascii: bool = False) -> str:
    r"""Return plain data as JSON that contains the exact names and can be printed.

    Lone surrogates and control characters are escaped (`\udce9`), which `json.loads` reverses. JSON
    has no NaN and no infinity, so they become null.
    """
    plain = _replace_nonfinite(value)
    text = json.dumps(plain, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    lines = text.split(_LINE_BREAK)  # of the indentation; those of names are escaped by now
    return _LINE_BREAK.join(_UNPRINTABLE.sub(_escape_in_json, line) for line in lines)


def _replace_nonfinite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _replace_nonfinite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nonfinite(each) for each in value]
    return value


def _escape_in_json(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


class Report(Protocol):
    """Receives everything that a task tells the person who started it."""

    def say(self, text: str) -> None:
        """Show one line."""

    def warn(self, text: str) -> None:
        """Show one line as a warning."""

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Start a progress display over `total` units, `done` of which are complete already.

        There is one progress display at a time.
        """

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Advance the progress; `figures` is shown beside it, such as `loss 0.61  12 clips/s`."""

    def finish(self) -> None:
        """Remove the progress display."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a small table."""


class Silence:
    """A report that shows nothing; the base class of reports that show only some things."""

    def say(self, text: str) -> None:
        """Ignore the line."""

    def warn(self, text: str) -> None:
        """Ignore the warning."""

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Ignore the progress."""

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Ignore the progress."""

    def finish(self) -> None:
        """Ignore the progress."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Ignore the table."""


class ProgressOnly(Silence):
    """Forwards progress and warnings to another report, for a task that is part of another task.

    Args:
        report: Receives them.
        warnings: Whether warnings are forwarded.
    """

    def __init__(self, report: Report, *, warnings: bool = True) -> None:
        self._report = report
        self._warnings = warnings

    def warn(self, text: str) -> None:
        """Forward the warning, if wanted."""
        if self._warnings:
            self._report.warn(text)

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Forward the progress."""
        self._report.start(title, total=total, done=done, unit=unit)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Forward the progress."""
        self._report.advance(amount, figures=figures)

    def finish(self) -> None:
        """Forward the progress."""
        self._report.finish()

"""Encodings: file names are UTF-8 in every locale, and printing never fails on a character.

Otherwise a locale such as `LC_ALL=C` with `PYTHONUTF8=0`, or `LANG=de_DE.ISO-8859-1`, would make
Python read the names on the disk in another encoding than those of a manifest, and not find them;
and a run would end at the first character that ASCII or Windows-1252 lacks.
"""

import codecs
import io
import os
import sys

from videomae_cli.report import escape

ERRORS = "videomae-replace"
# plain spellings of what our messages and rich's bars contain: dashes, lines, dots, quotes, arrows
_PLAIN = {
    **dict.fromkeys(
        "\u00b7\u2010\u2011\u2012\u2013\u2014\u2022\u2212\u2500\u2501\u2578\u257a", "-"
    ),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    **{"\u00d7": "x", "\u2026": "...", "\u2192": "->", "\u00b1": "+/-"},
}


def restart_in_utf8_mode() -> None:
    """Start this process again in Python's UTF-8 mode, unless names are read as UTF-8 already.

    It keeps its process id, arguments and streams; what it prints keeps the encoding of the
    locale. Processes that it starts inherit the mode.
    """
    if sys.getfilesystemencoding().lower() == "utf-8" or os.name == "nt" or sys.flags.utf8_mode:
        return
    os.environ["PYTHONUTF8"] = "1"
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def make_streams_safe() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, instead of failing."""
    codecs.register_error(ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or escape(one) for one in missing), error.end

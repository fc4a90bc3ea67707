"""Messages for Python programs: warnings go to Python's logging, and errors name arguments."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from videomae_cli.errors import UsageError, VideoMAEError
from videomae_cli.report import Silence, printable

logger = logging.getLogger("videomae")
_OPTION = re.compile(r"--([a-z][a-z-]*)")
_COMMAND = re.compile(r"videomae [a-z-]+")


class LogReport(Silence):
    """Sends messages to the logger `videomae`; there is no progress display."""

    def say(self, text: str) -> None:
        """Log the line as information, which Python shows only if it is asked to."""
        logger.info("%s", printable(text))

    def warn(self, text: str) -> None:
        """Log the line as a warning."""
        logger.warning("%s", printable(text))


@contextmanager
def explain_errors() -> Iterator[None]:
    """Let errors in this block name arguments instead of options, and show their hint."""
    try:
        yield
    except VideoMAEError as error:
        error.message = name_arguments(error.message)
        error.hint = name_arguments(error.hint)
        error.args = ("\n".join(filter(None, (error.message, error.hint))),)
        raise


def name_arguments(text: str) -> str:
    """Return text with `--allow-untrained-head` as `allow_untrained_head`; commands stay."""
    if _COMMAND.search(text):
        return text
    return _OPTION.sub(lambda match: match[1].replace("-", "_"), text)


def require_positive(**values: int | None) -> None:
    """Raise a `UsageError` if an argument is neither None nor a whole number from 1 on."""
    for name, value in values.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise UsageError(f"{name}={value!r}: must be 1 or more", f"use for example {name}=5")

"""Messages of a library go to Python's logging."""

import logging

from videomae_cli.report import Silence, printable

logger = logging.getLogger("videomae")


class LogReport(Silence):
    """Sends messages to the logger `videomae`; there is no progress display."""

    def say(self, text: str) -> None:
        """Log the line as information, which Python shows only if it is asked to."""
        logger.info("%s", printable(text))

    def warn(self, text: str) -> None:
        """Log the line as a warning."""
        logger.warning("%s", printable(text))

"""Messages and progress: tasks talk to a `Report`; `cli/console.py` decides how it looks."""

from collections.abc import Sequence
from typing import Protocol


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

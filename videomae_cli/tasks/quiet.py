"""A report for parts of a larger story: progress and warnings pass, the parts' own words do not."""

from collections.abc import Sequence

from videomae_cli.engine.report import Report


class Quiet:
    """Passes on what must be seen.

    Args:
        report: Who is told.
        warnings: Pass warnings on.
    """

    def __init__(self, report: Report, *, warnings: bool = True) -> None:
        self._report = report
        self._warnings = warnings

    def say(self, text: str) -> None:
        """Drop it."""

    def warn(self, text: str) -> None:
        """Pass it on, if it is wanted."""
        if self._warnings:
            self._report.warn(text)

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Pass it on."""
        self._report.start(title, total=total, done=done, unit=unit)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Pass it on."""
        self._report.advance(amount, figures=figures)

    def finish(self) -> None:
        """Pass it on."""
        self._report.finish()

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Drop it."""

"""Where messages and progress go. Tasks talk to a `Report`; `cli/console.py` decides its looks."""

from collections.abc import Sequence
from typing import Protocol


class Report(Protocol):
    """What a task tells the person who started it."""

    def say(self, text: str) -> None:
        """One event, one line."""

    def warn(self, text: str) -> None:
        """Something the user should look at, one line."""

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Begin progress over `total` units, `done` of them behind us. One progress at a time."""

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Move on by `amount` units; `figures` is shown beside, as in `loss 0.61 · 12 clips/s`."""

    def finish(self) -> None:
        """End the progress."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a small table."""


class Silence:
    """A report that says nothing: for other ranks, and for callers who want none."""

    def say(self, text: str) -> None:
        """Drop it."""

    def warn(self, text: str) -> None:
        """Drop it."""

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Drop it."""

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Drop it."""

    def finish(self) -> None:
        """Drop it."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Drop it."""

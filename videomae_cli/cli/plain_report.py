"""A report for pipes, log files and CI: whole lines, with progress only now and then."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from videomae_cli.report import printable

PROGRESS_SECONDS = 10.0


@dataclass
class _Progress:
    title: str
    unit: str
    total: int
    first: int
    done: int
    started_at: float
    printed_at: float
    figures: str = ""
    printed_done: int = -1

    def line(self, now: float) -> str:
        share = f"{100 * self.done / self.total:.0f} %" if self.total else "0 %"
        parts = [f"{self.title} {self.done:,}/{self.total:,} {self.unit}s ({share})"]
        advanced = self.done - self.first
        if advanced > 0 and self.done < self.total:
            left = (now - self.started_at) / advanced * (self.total - self.done)
            parts.append(f"{timedelta(seconds=round(left))} left")
        elif self.done >= self.total:
            parts.append(f"in {timedelta(seconds=round(now - self.started_at))}")
        if self.figures:
            parts.append(self.figures)
        return ", ".join(parts)


class PlainReport:
    """A report that prints plain lines: results with `out`, warnings and progress with `err`.

    Lines of progress are at least `every_seconds` apart; the last one is always printed. `clock`
    returns monotonic seconds.
    """

    def __init__(
        self,
        out: Callable[[str], None],
        err: Callable[[str], None],
        *,
        every_seconds: float = PROGRESS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._err = err
        self._every = every_seconds
        self._clock = clock
        self._progress: _Progress | None = None

    def say(self, text: str) -> None:
        """Print one line of results."""
        self._out(printable(text))

    def warn(self, text: str) -> None:
        """Print one line of warnings."""
        self._err(f"warning: {printable(text)}")

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Start progress; nothing is printed yet."""
        self.finish()
        now = self._clock()
        self._progress = _Progress(title, unit, total, done, done, now, now)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Advance, and print a line if the last one is old enough."""
        assert self._progress is not None, "advance before start"
        self._progress.done += amount
        self._progress.figures = figures or self._progress.figures
        if self._clock() - self._progress.printed_at >= self._every:
            self._print(self._progress)

    def finish(self) -> None:
        """Print the last line, unless it has just been printed."""
        if self._progress is not None and self._progress.printed_done != self._progress.done:
            self._print(self._progress)
        self._progress = None

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table with aligned columns."""
        lines = [[printable(cell) for cell in row] for row in (columns, *rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        self._out(printable(title))
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._out(("  " + "  ".join(cells)).rstrip())

    def _print(self, progress: _Progress) -> None:
        now = self._clock()
        self._err(printable(progress.line(now)))
        progress.printed_at, progress.printed_done = now, progress.done

"""What people see: the only file that knows rich. Results go to stdout, all else to stderr.

On a terminal progress is a moving bar with the time left; elsewhere (a pipe, a log file, CI) it is
a plain line now and then, so that logs stay readable. Ranks other than the first show only errors
and logged warnings.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from videomae_cli.cli.plain_report import PlainReport
from videomae_cli.errors import Stopped, VideoMAEError
from videomae_cli.report import Report, Silence


def report(*, json_output: bool = False) -> Report:
    """Make the report that fits where output goes, and let log warnings through it.

    Args:
        json_output: The command prints JSON to stdout, so all else must go to stderr.
    """
    rank = _rank()
    made = _choose(json_output) if rank == 0 else Silence()
    warn = made.warn if rank == 0 else lambda text: _print_error(f"rank {rank}: warning: {text}")
    logger = logging.getLogger("videomae")
    for old in [handler for handler in logger.handlers if isinstance(handler, _LogLines)]:
        logger.removeHandler(old)
    logger.addHandler(_LogLines(warn))
    return made


def print_text(text: str) -> None:
    """Print text as it is on stdout, such as a resolved recipe."""
    print(text, flush=True)


def print_json(value: object) -> None:
    """Print a result for programs: one JSON document on stdout, from the first rank."""
    if _rank() == 0:
        print_text(json.dumps(value, indent=2, ensure_ascii=False))


def show_error(error: VideoMAEError, *, with_trace: bool = False) -> None:
    """Say what is wrong in red, and what to do below it; on request, after a traceback."""
    if with_trace:
        traceback.print_exception(error)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    is_stop = isinstance(error, Stopped)
    if error.is_shared and _rank():
        return  # one says so
    label, style = ("stopped: ", "yellow") if is_stop else ("error: ", "red")
    where = f"rank {_rank()}: " if _rank() else ""
    console.print(Text(where + label, style=f"bold {style}") + Text(error.message, style=style))
    if error.hint:
        console.print(Text("hint: ", style="bold") + Text(error.hint))


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback without locals (they are tensors), and ask for a report."""
    traceback.print_exception(kind, error, trace)
    print(
        "This is a bug in videomae, not a mistake of yours. Please report it with the lines above,"
        " the command and the output of `pip freeze`.",
        file=sys.stderr,
    )


class ConsoleReport:
    """A report for a terminal.

    Args:
        out: Where results go.
        err: Where warnings and progress go.
    """

    def __init__(self, out: Console, err: Console) -> None:
        self._out = out
        self._err = err
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def say(self, text: str) -> None:
        """One event, one line of results."""
        self._results().print(Text(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """One line in yellow."""
        self._err.print(Text("warning: ", style="yellow") + Text(text), soft_wrap=True)

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Draw a bar with the count, time spent, time left and figures."""
        self.finish()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn(f"{unit}s", markup=False),
            TimeElapsedColumn(),
            TextColumn("gone,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self._err,
            redirect_stdout=self._out.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, completed=done, figures="")
        self._progress.start()

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Move the bar."""
        assert self._progress is not None, "advance before start"
        self._progress.advance(self._task, amount)
        if figures:
            self._progress.update(self._task, figures=figures)

    def finish(self) -> None:
        """Leave the bar as it stands."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Draw a table."""
        drawn = Table(title=Text(title), title_justify="left")
        for column in columns:
            drawn.add_column(Text(column), overflow="fold")  # rather two lines than half a name
        for row in rows:
            drawn.add_row(*(Text(cell) for cell in row))
        self._results().print(drawn)

    def _results(self) -> Console:
        # while a bar moves on the same terminal, only its own console prints without tearing it
        return self._err if self._progress is not None and self._out.is_terminal else self._out


class _LogLines(logging.Handler):
    """Warnings of the floors below, which know no report, as lines of the report."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() == self._process:
            self._warn(record.getMessage())
            return
        # a forked decoding process: the bar's lock may have been held when it was born
        os.write(2, f"warning: {record.getMessage()}\n".encode())


def _rank() -> int:
    return int(os.environ.get("RANK") or 0)


def _choose(json_output: bool) -> Report:
    if sys.stderr.isatty():
        err = Console(stderr=True, highlight=False)
        return ConsoleReport(err if json_output else Console(highlight=False), err)
    return PlainReport(_print_error if json_output else print_text, _print_error)


def _print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

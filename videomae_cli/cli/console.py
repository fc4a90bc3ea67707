"""All output to the user; the only file that uses rich. Results go to stdout, the rest to stderr.

Every text passes through `printable` here, so that no name of a file or class can fail to be
printed, or send control characters to the terminal.

On a terminal, progress is a bar with the remaining time. Elsewhere (a pipe, a log file, CI) it is a
plain line now and then, so that logs stay readable. Ranks other than 0 print only errors and logged
warnings.
"""

import codecs
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from videomae_cli.report import Report, Silence, format_json, printable


def make_report(*, json_output: bool = False) -> Report:
    """Create the report that fits the output, and send logged warnings to it.

    With `json_output`, stdout is for the JSON, and all else goes to stderr.
    """
    rank = _rank()
    created = _create(json_output) if rank == 0 else Silence()
    warn = created.warn if rank == 0 else lambda text: _print_error(f"rank {rank}: warning: {text}")
    logger = logging.getLogger("videomae")
    for old in [handler for handler in logger.handlers if isinstance(handler, _LogLines)]:
        logger.removeHandler(old)
    logger.addHandler(_LogLines(warn))
    return created


def print_text(text: str) -> None:
    """Print text of one or several lines to stdout, such as a resolved recipe."""
    print(printable(text, keep_lines=True), flush=True)


def print_json(value: object) -> None:
    """Print a result as one JSON document to stdout; only rank 0 prints.

    Where stdout is not UTF-8, the encoding of JSON, all but ASCII is escaped.
    """
    if _rank() == 0:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        is_utf8 = codecs.lookup(encoding).name == "utf-8"
        print_text(format_json(value, indent=2, ensure_ascii=not is_utf8))


@contextmanager
def print_answer_of_error(*, json_output: bool) -> Iterator[None]:
    """Print the answer of an error in this block, if it has one and `json_output` asks for it."""
    try:
        yield
    except VideoMAEError as error:
        if json_output and error.answer is not None:
            print_json(error.answer)
        raise


def show_error(error: VideoMAEError, *, with_trace: bool = False) -> None:
    """Print the message of an error in red and its hint below, optionally after a traceback."""
    if with_trace:
        _print_error("".join(traceback.format_exception(error)).rstrip())
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    is_stop = isinstance(error, Stopped)
    if error.is_shared and _rank():
        return  # rank 0 prints it
    label, style = ("stopped: ", "yellow") if is_stop else ("error: ", "red")
    where = f"rank {_rank()}: " if _rank() else ""
    message = printable(error.message, keep_lines=True)
    console.print(Text(where + label, style=f"bold {style}") + Text(message, style=style))
    if error.hint:
        hint = printable(error.hint, keep_lines=True)
        console.print(Text("hint: ", style="bold") + Text(hint))


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback without local variables (they are tensors), and ask for a bug report."""
    _print_error("".join(traceback.format_exception(kind, error, trace)).rstrip())
    _print_error(
        "This is a bug in videomae. Please report it with the lines above, the command and the"
        " output of `pip freeze`."
    )


class ConsoleReport:
    """A report for a terminal: results go to `out`, warnings and progress to `err`."""

    def __init__(self, out: Console, err: Console) -> None:
        self._out = out
        self._err = err
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def say(self, text: str) -> None:
        """Print one line of results."""
        self._results().print(Text(printable(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print one line with a yellow label."""
        self._err.print(Text("warning: ", style="yellow") + Text(printable(text)), soft_wrap=True)

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Show a bar with the count, elapsed and remaining time, and figures."""
        self.finish()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn(f"{unit}s", markup=False),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self._err,
            redirect_stdout=self._out.is_terminal,
        )
        self._task = self._progress.add_task(
            printable(title), total=total, completed=done, figures=""
        )
        self._progress.start()

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Advance the bar."""
        assert self._progress is not None, "advance before start"
        self._progress.advance(self._task, amount)
        if figures:
            self._progress.update(self._task, figures=printable(figures))

    def finish(self) -> None:
        """Stop the bar; it stays visible."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        grid = Table(title=Text(printable(title)), title_justify="left")
        for column in columns:
            grid.add_column(Text(printable(column)), overflow="fold")  # wrap long cells, do not cut
        for row in rows:
            grid.add_row(*(Text(printable(cell)) for cell in row))
        self._results().print(grid)

    def _results(self) -> Console:
        # while a bar is shown on this terminal, other consoles would break its line
        return self._err if self._progress is not None and self._out.is_terminal else self._out


class _LogLines(logging.Handler):
    """Prints logged warnings, from code without access to a report, as lines of the report."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() == self._process:
            self._warn(record.getMessage())
            return
        # a forked decoding process may have inherited the lock of the bar in locked state
        line = f"warning: {printable(record.getMessage())}\n"
        os.write(2, line.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))


def _rank() -> int:
    return int(os.environ.get("RANK") or 0)


def _create(json_output: bool) -> Report:
    if sys.stderr.isatty():
        err = Console(stderr=True, highlight=False)
        return ConsoleReport(err if json_output else Console(highlight=False), err)
    return PlainReport(_print_error if json_output else print_text, _print_error)


def _print_error(text: str) -> None:
    print(printable(text, keep_lines=True), file=sys.stderr, flush=True)

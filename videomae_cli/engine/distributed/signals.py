"""Stop requests: a signal is recorded, and obeyed at the next moment at which nothing is lost.

SIGTERM, SIGINT and SIGUSR1 are recorded; the ranks exchange them once per step. While a process
only waits or validates, `interruptible` lets a signal interrupt it. A second signal ends the
process at once, with its decoding processes; SIGUSR1, which schedulers send as a warning, does not.
"""

import multiprocessing
import os
import signal
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WARNING_SIGNAL: signal.Signals | None = getattr(signal, "SIGUSR1", None)  # absent on Windows
STOP_SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, WARNING_SIGNAL)))
SAME_REQUEST_SECONDS = 1.0  # a signal may arrive twice: from the scheduler and from the launcher


class Interrupted(BaseException):
    """A signal arrived in an interruptible block. `except Exception` does not catch it."""


class SignalHandler:
    """Records stop signals inside its context; restores the former handlers afterwards."""

    def __init__(self) -> None:
        self.received: int | None = None
        """The recorded signal."""
        self._time = 0.0
        self._process = os.getpid()
        self._is_interruptible = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "SignalHandler":
        for number in STOP_SIGNALS:
            self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal raise `Interrupted` in this block, also one that was recorded before."""
        self._is_interruptible = True
        try:
            if self.received is not None:
                raise Interrupted
            yield
        finally:
            self._is_interruptible = False

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a decoding process that has just been forked: its parent decides
        if self.received is None:
            self._record(number)
            if self._is_interruptible:
                raise Interrupted
        elif self.received == WARNING_SIGNAL != number:
            self._record(number)  # the request after the warning
        elif number != WARNING_SIGNAL and time.monotonic() > self._time + SAME_REQUEST_SECONDS:
            for child in multiprocessing.active_children():
                child.kill()
            os._exit(128 + number)  # requested twice: stop at once

    def _record(self, number: int) -> None:
        self.received, self._time = number, time.monotonic()


def exit_code(number: int) -> int:
    """Return the exit code of a run that was stopped by a signal and can be resumed."""
    return 130 if number == signal.SIGINT else 75

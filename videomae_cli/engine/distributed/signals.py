"""Asked to stop: a signal is noted, and heeded at the next place where nothing gets lost.

SIGTERM, SIGINT and SIGUSR1 set a flag; the ranks agree on it once a step. Where a process only
waits or evaluates, `interruptible` lets the signal cut it short. A second signal leaves at once,
and takes the decoding processes along; SIGUSR1, by which schedulers warn, does not count for that.
"""

import multiprocessing
import os
import signal
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WARNING: signal.Signals | None = getattr(signal, "SIGUSR1", None)  # Windows has none
NUMBERS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, WARNING)))
SAME_REQUEST_SECONDS = 1.0  # a scheduler and the launcher it started both pass one signal on


class Interrupted(BaseException):
    """A signal came while waiting. Not an `Exception`, so that nobody's error handling eats it."""


class Signals:
    """Receives signals while it is entered; gives the former handlers back afterwards."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._at = 0.0
        self._process = os.getpid()
        self._may_interrupt = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        for number in NUMBERS:
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal, also one that has come before, end this block.

        Raises:
            Interrupted: It did.
        """
        self._may_interrupt = True
        try:
            if self.received is not None:
                raise Interrupted
            yield
        finally:
            self._may_interrupt = False

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a decoding process just forked: its parent decides
        if self.received is None:
            self.received, self._at = number, time.monotonic()
            if self._may_interrupt:
                raise Interrupted
        elif self.received == WARNING != number:
            self.received, self._at = number, time.monotonic()  # a warning, then the request
        elif number != WARNING and time.monotonic() > self._at + SAME_REQUEST_SECONDS:
            for child in multiprocessing.active_children():
                child.kill()
            os._exit(128 + number)  # asked twice: the user means now


def exit_code(number: int) -> int:
    """Return the exit code of a run that a signal stopped and that can be resumed."""
    return 130 if number == signal.SIGINT else 75

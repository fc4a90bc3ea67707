"""Parts of a larger work side by side: in each lane a process with one thread, and one part a time.

A small model does not fill a second core, so two parts with a thread each end sooner than one after
the other with two. A lane takes the first part whose needs are done. Not promised: the same numbers
on another number of cores.

A signal, like the failure of one part, reaches the parts under way, which save and leave. Lanes end
with the process that started them, however that ends.
"""

import multiprocessing
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import torch

from videomae_cli.engine.distributed.launch import GRACE_SECONDS
from videomae_cli.engine.distributed.signals import STOP_SIGNALS, SignalHandler, exit_code
from videomae_cli.errors import Stopped, TrainingError
from videomae_cli.report import Report

LOOK_SECONDS = 0.1
Words = Any  # a SimpleQueue of (method of a report, its arguments); its class has no public name
_words: Words = None  # in a lane: what it says


class Part(NamedTuple):
    """Something to be done once, in a process of its own."""

    name: str
    work: Callable[[Report], Any]
    """Picklable, as its result is. Of its progress, only steps are passed on."""
    steps: int = 0
    """Of the whole progress."""
    needs: tuple[str, ...] = ()
    """Names of parts that must be done before."""


def side_by_side(
    parts: Sequence[Part], report: Report, *, lanes: int, title: str
) -> dict[str, Any]:
    """Do all parts; return their results by name.

    Args:
        parts: First come, first served, as far as needs allow.
        report: Hears what the parts say, and one progress over the steps of all.
        lanes: Parts at once.
        title: Of the progress.

    Raises:
        Stopped: A signal asked to stop; the parts under way have left.
        TrainingError: A lane died.
        VideoMAEError: What a part raised, once the others have left.
    """
    context = multiprocessing.get_context("spawn")  # the parent may hold threads
    words = context.SimpleQueue()
    report.start(title, total=sum(part.steps for part in parts))
    with SignalHandler() as signals:
        pool = ProcessPoolExecutor(lanes, context, initializer=_enter, initargs=(words,))
        try:
            return _do_all(parts, pool, lanes, signals, lambda: _pass_on(words, report))
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process of several died", "memory ran out, most likely: free some"
            ) from error
        finally:
            _ask_to_stop(signal.SIGTERM)  # those whom an error leaves at work
            pool.shutdown(cancel_futures=True)
            _pass_on(words, report)
            report.finish()


def _do_all(
    parts: Sequence[Part],
    pool: ProcessPoolExecutor,
    lanes: int,
    signals: SignalHandler,
    listen: Callable[[], None],
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    waiting, running = list(parts), dict[Future[Any], str]()
    while waiting or running:
        ready = [part for part in waiting if results.keys() >= set(part.needs)]
        for part in ready[: lanes - len(running)]:
            waiting.remove(part)
            running[pool.submit(_do, part.work)] = part.name
        assert running, f"nothing that {[part.name for part in waiting]} need will ever be done"
        finished, _ = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
        listen()
        if signals.received is not None:
            _ask_to_stop(signals.received)
            wait(running)
            raise Stopped("asked to stop", exit_code=exit_code(signals.received))
        for future in finished:
            results[running.pop(future)] = future.result()
    return results


def _ask_to_stop(number: int) -> None:
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, number)


def _pass_on(words: Words, report: Report) -> None:
    while not words.empty():
        method, arguments, options = words.get()
        getattr(report, method)(*arguments, **options)


def _enter(words: Words) -> None:
    """Make this process a lane."""
    global _words
    _words = words
    torch.set_num_threads(1)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # there is nothing to stop between two parts
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _do(work: Callable[[Report], Any]) -> Any:
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)  # where training listens, `Signals` takes over
    try:
        return work(_Lane(_words))
    finally:
        _ignore_signals()


def _stop(number: int, frame: types.FrameType | None) -> None:
    _ignore_signals()  # asked twice is asked
    raise Stopped("asked to stop", exit_code=exit_code(number))


def _ignore_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(exit_code(signal.SIGTERM))


class _Lane:
    """A report whose words are heard in the process that started the lane."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._counts = False

    def say(self, text: str) -> None:
        """Pass it on."""
        self._words.put(("say", (text,), {}))

    def warn(self, text: str) -> None:
        """Pass it on."""
        self._words.put(("warn", (text,), {}))

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Count steps only: those of the whole."""
        self._counts = unit == "step"
        self.advance(done)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        """Pass steps on."""
        if self._counts:
            self._words.put(("advance", (amount,), {"figures": figures}))

    def finish(self) -> None:
        """Drop it: the whole goes on."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Pass it on."""
        self._words.put(("table", (title, columns, rows), {}))

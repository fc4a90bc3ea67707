"""Run tasks in parallel, each in a worker process with one thread.

A small model does not use a second core well, so two tasks with one thread each finish sooner than
one after the other with two. Results may differ between machines with different numbers of cores.
A signal, or the failure of one task, is sent to the running tasks, which write a checkpoint and
exit. Workers end when the process that started them ends, for whatever reason.
"""

import contextlib
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
from videomae_cli.report import Report, Silence

POLL_SECONDS = 0.1
MessageQueue = Any  # a SimpleQueue of (method of a report, arguments); its class is not public
_messages: MessageQueue = None  # in a worker process: its queue


class ParallelTask(NamedTuple):
    """A task that runs once, in a worker process."""

    name: str
    function: Callable[[Report], Any]
    """Picklable, as its result must be. Of its progress, only steps are shown."""
    steps: int = 0
    requires: tuple[str, ...] = ()
    """Names of the tasks that must be finished before it starts."""


def run_in_parallel(
    tasks: Sequence[ParallelTask], report: Report, *, workers: int, title: str
) -> dict[str, Any]:
    """Run all tasks, at most `workers` at a time; return their results by name.

    Tasks start in this order, as far as their requirements allow. The report gets their messages,
    and one progress over the steps of all.

    Raises:
        Stopped: A signal asked to stop; the running tasks have ended.
        TrainingError: A worker process died.
        VideoMAEError: A task failed; the others have ended.
    """
    context = multiprocessing.get_context("spawn")  # not forked: the parent may have threads
    messages = context.SimpleQueue()
    report.start(title, total=sum(task.steps for task in tasks))
    with SignalHandler() as signals:
        pool = ProcessPoolExecutor(workers, context, _set_up_worker, (messages,))
        try:
            return _run_all(tasks, pool, workers, signals, lambda: _forward(messages, report))
        except BrokenProcessPool as error:
            raise TrainingError(
                "a worker process of the demonstration died",
                "it most likely ran out of memory: free some",
            ) from error
        finally:
            _signal_workers(signal.SIGTERM)  # those that still run after an error
            pool.shutdown(cancel_futures=True)
            _forward(messages, report)
            report.finish()


def _run_all(
    tasks: Sequence[ParallelTask],
    pool: ProcessPoolExecutor,
    workers: int,
    signals: SignalHandler,
    forward: Callable[[], None],
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    waiting, running = list(tasks), dict[Future[Any], str]()
    while waiting or running:
        ready = [task for task in waiting if results.keys() >= set(task.requires)]
        for task in ready[: workers - len(running)]:
            waiting.remove(task)
            running[pool.submit(_run_task, task.function)] = task.name
        assert running, f"a requirement of {[task.name for task in waiting]} is not among the tasks"
        finished, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
        forward()
        if signals.received is not None:
            _signal_workers(signals.received)
            wait(running)
            raise Stopped("asked to stop", exit_code=exit_code(signals.received))
        for future in finished:
            results[running.pop(future)] = future.result()
    return results


def _signal_workers(number: int) -> None:
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(child.pid, number)


def _forward(messages: MessageQueue, report: Report) -> None:
    """Call the report with all queued messages."""
    while not messages.empty():
        method, arguments, options = messages.get()
        getattr(report, method)(*arguments, **options)


def _set_up_worker(messages: MessageQueue) -> None:
    global _messages
    _messages = messages
    torch.set_num_threads(1)
    _ignore_signals()  # between two tasks there is nothing to stop
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _run_task(function: Callable[[Report], Any]) -> Any:
    for number in STOP_SIGNALS:
        signal.signal(number, _raise_stopped)  # training replaces it by `SignalHandler`
    try:
        return function(_QueueReport(_messages))
    finally:
        _ignore_signals()


def _raise_stopped(number: int, frame: types.FrameType | None) -> None:
    _ignore_signals()  # a second signal has no further effect
    raise Stopped("asked to stop", exit_code=exit_code(number))


def _ignore_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(exit_code(signal.SIGTERM))


class _QueueReport(Silence):
    """A report that sends its messages and steps to the process that started the worker."""

    def __init__(self, messages: MessageQueue) -> None:
        self._messages = messages
        self._counts_steps = False

    def say(self, text: str) -> None:
        self._messages.put(("say", (text,), {}))

    def warn(self, text: str) -> None:
        self._messages.put(("warn", (text,), {}))

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Start sending the progress if its unit is a step."""
        self._counts_steps = unit == "step"
        self.advance(done)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        if self._counts_steps:
            self._messages.put(("advance", (amount,), {"figures": figures}))

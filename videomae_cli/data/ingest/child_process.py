"""Child processes that read untrusted files: started, asked, cut off and replaced.

A request and an answer are one JSON object per line. The child sends {"ready": true} when it has
loaded its libraries. Each child serves many files (no start-up time per file) and is used by one
thread here. A timer kills it if a file takes too long; the next file gets a new process.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, TypeVar

from videomae_cli.data.executors.run_tasks import run_tasks
from videomae_cli.data.ingest.probe import LATE, RejectedVideo
from videomae_cli.errors import DataError

START_SECONDS = 120.0  # for loading the decoders from a slow disk
END_SECONDS = 5.0
TASKS_PER_PROCESS = 4  # submitted at a time, so that no process waits for this one
# one thread per process, and no address space used for the other cores of a large machine
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class ChildProcess:
    """A child process, started again when it has ended; `seconds` limits the time of a request."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self.command, self.seconds = tuple(command), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def ask(self, request: dict[str, Any], seconds: float | None = None) -> "KillTimer":
        """Send a request, and return the timer that ends the process if it takes too long."""
        process = self._process or self._start()
        timer = KillTimer(process, self.seconds if seconds is None else seconds)
        with contextlib.suppress(BrokenPipeError):  # it has ended: `receive` returns {}
            _pipe(process.stdin).write(json.dumps(request).encode() + b"\n")
            _pipe(process.stdin).flush()
        return timer

    def receive(self) -> dict[str, Any]:
        """Return the next answer, or {} if the process has ended."""
        assert self._process is not None, "asked before"
        line = _pipe(self._process.stdout).readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        return answer

    def read(self, count: int) -> bytes:
        """Return that many bytes which follow an answer; fewer if the process has ended."""
        assert self._process is not None, "asked before"
        return _pipe(self._process.stdout).read(count)

    def explain_end(self, timer: "KillTimer") -> RejectedVideo:
        """End a process that gave no answer, and return why; the next request starts another."""
        assert self._process is not None, "asked before"
        is_late = timer.stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)  # for its own exit code
        process = self._process
        self.close()
        if is_late:
            reason = f"takes longer than {timer.seconds:g} s {LATE}"
        else:
            reason = f"ends the decoding process ({_exit_status(process)})"
        return RejectedVideo(reason, is_lasting=False)

    def kill(self) -> None:
        """End the process for good, while another thread may be waiting for its answer."""
        self._is_killed = True
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """End the process; the next request starts another."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
        )
        self._process = process
        if self._is_killed:
            process.kill()
        timer = KillTimer(process, START_SECONDS)
        answer = self.receive()
        if timer.stop() or not answer:
            self.close()
            raise DataError(
                f"the process that decodes videos does not start ({_exit_status(process)})",
                f"run it to see its error message: {' '.join(self.command)}",
            )
        return process


class KillTimer:
    """Kills a process after a time limit."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.seconds = seconds
        self._is_expired = threading.Event()
        self._process = process
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> bool:
        """Stop the timer; return whether it had expired. The process is not killed afterwards."""
        self._timer.cancel()
        self._timer.join()
        return self._is_expired.is_set()

    def _expire(self) -> None:
        self._is_expired.set()
        self._process.kill()


Child = TypeVar("Child", bound=ChildProcess)
Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_children(
    children: Sequence[Child], items: Sequence[Item], work: Callable[[Child, Item], Result]
) -> Iterator[Result]:
    """Give each item to an idle child; yield each result when it is ready, in no fixed order."""
    idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
    for child in children:
        idle.put(child)

    def work_with_idle(item: Item) -> Result:
        child = idle.get()
        try:
            return work(child, item)
        finally:
            idle.put(child)

    executor = ThreadPoolExecutor(max_workers=max(len(children), 1))
    remaining = iter(items)
    try:
        for _, future in run_tasks(
            executor,
            work_with_idle,
            lambda: next(remaining, None),
            capacity=lambda: TASKS_PER_PROCESS * len(children),
        ):
            yield future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in children:  # threads that wait for an answer continue when it ends
            child.kill()
        executor.shutdown(wait=True)
        for child in children:
            child.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "started with pipes"
    return pipe


def _exit_status(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

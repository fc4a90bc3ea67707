"""Many files through a few child processes. A file that hangs or kills its child is refused, alone.

Each child is long-lived (no start-up cost per file) and served by one thread here; a clock kills it
when a file takes too long, and the next file gets a fresh one.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.data.ingest.probe import Probe
from videomae_cli.errors import DataError

COMMAND = (sys.executable, "-B", "-m", "videomae_cli.data.ingest.child")
START_SECONDS = 120.0  # for loading the decoders from a slow disk
END_SECONDS = 5.0
# one thread per child, and no address space spent on the others of a large machine
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Refused(NamedTuple):
    """Why a file is not used; when not `is_lasting`, another attempt may end differently."""

    reason: str
    is_lasting: bool = True


class Child:
    """One child process and the conversation with it.

    Args:
        decoder: The choice of the decoder.
        seconds: Wall-clock time for one file.
        command: What to start; the decoder choice is added as its last word.
    """

    def __init__(self, decoder: str, seconds: float, command: Sequence[str]) -> None:
        self._seconds = seconds
        self._command = (*command, decoder)
        self._process: subprocess.Popen[str] | None = None
        self._is_over = False

    def ask(self, path: Path) -> Probe | Refused:
        """Have one file probed. When only the choice of its decoder fails, PyAV is the choice.

        Raises:
            DataError: No child can be started.
        """
        process = self._process or self._start()
        clock = _Clock(process, self._seconds)
        counted: Probe | None = None
        request = {"path": str(path), "seconds": self._seconds}
        answer = _exchange(process, json.dumps(request) + "\n")
        if "counted" in answer:
            counted = Probe(*answer["counted"])
            answer = _exchange(process, "")
        is_late = clock.stop()
        if answer and not is_late:
            return Probe(*answer["probe"]) if "probe" in answer else Refused(answer["reason"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)  # for its own exit code
        self.close()
        if counted is not None:
            return counted
        if is_late:
            return Refused(f"takes longer than {self._seconds:g} s (--timeout)", is_lasting=False)
        return Refused(f"ends the decoding process ({_ending(process)})", is_lasting=False)

    def kill(self) -> None:
        """End the process in the middle of whatever it does, for good; from any thread."""
        self._is_over = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process; the next `ask` starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )
        self._process = process
        if self._is_over:
            process.kill()
        clock = _Clock(process, START_SECONDS)
        answer = _exchange(process, "")
        if clock.stop() or not answer:
            self.close()
            raise DataError(
                f"the process that decodes videos does not start ({_ending(process)})",
                f"see what it says: {' '.join(self._command)}",
            )
        return process


class _Clock:
    """Kills a process when its time is up."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._struck = threading.Event()
        self._process = process
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> bool:
        """Return whether the time was up; after this, no kill is on its way."""
        self._timer.cancel()
        self._timer.join()
        return self._struck.is_set()

    def _strike(self) -> None:
        self._struck.set()
        self._process.kill()


def probe_all(
    paths: Sequence[Path],
    *,
    decoder: str,
    seconds: float,
    workers: int,
    command: Sequence[str] = COMMAND,
) -> Iterator[tuple[Path, Probe | Refused]]:
    """Probe files in `workers` child processes; yield each as it is done, in no fixed order.

    Args:
        paths: Regular files.
        decoder: "auto" or a key of `DECODERS`.
        seconds: Wall-clock time for one file.
        workers: How many children.
        command: How a child is started.

    Raises:
        DataError: The children cannot be started.
    """
    children = [Child(decoder, seconds, command) for _ in range(min(workers, len(paths)))]
    idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
    for child in children:
        idle.put(child)

    def work(path: Path) -> tuple[Path, Probe | Refused]:
        child = idle.get()
        try:
            return path, child.ask(path)
        finally:
            idle.put(child)

    executor = ThreadPoolExecutor(max_workers=max(len(children), 1))
    try:
        for done in as_completed([executor.submit(work, path) for path in paths]):
            yield done.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in children:  # whoever waits for one of them is set free by its end
            child.kill()
        executor.shutdown(wait=True)
        for child in children:
            child.close()


def _exchange(process: subprocess.Popen[str], request: str) -> dict[str, Any]:
    """Send a line (or nothing) and return the next answer, {} when the process has ended."""
    assert process.stdin is not None and process.stdout is not None, "started with pipes"
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        return {}
    line = process.stdout.readline()
    answer: dict[str, Any] = json.loads(line) if line.endswith("\n") else {}
    return answer


def _ending(process: subprocess.Popen[str]) -> str:
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

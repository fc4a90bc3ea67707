"""Probe many files in a few child processes; a file that hangs or kills its process is rejected.

Each child process reads many files (no start-up time per file) and is used by one thread here. A
timer kills it if a file takes too long; the next file gets a new process.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from videomae_cli.data.executors.run_tasks import run_tasks
from videomae_cli.data.ingest.probe import LATE, LATE_NOTE, ReadableVideo, RejectedVideo
from videomae_cli.errors import DataError

COMMAND = (sys.executable, "-B", "-m", "videomae_cli.data.ingest.child")
START_SECONDS = 120.0  # for loading the decoders from a slow disk
END_SECONDS = 5.0
TASKS_PER_PROCESS = 4  # submitted at a time, so that no process waits for this one
# one thread per process, and no address space used for the other cores of a large machine
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class ProbeProcess:
    """A child process that probes files, restarted when it has ended.

    `seconds` limits the time for one file; the decoder is added as the last argument of `command`.
    """

    def __init__(self, decoder: str, seconds: float, command: Sequence[str]) -> None:
        self._seconds = seconds
        self._command = (*command, decoder)
        self._process: subprocess.Popen[str] | None = None
        self._is_killed = False

    def probe(self, path: Path) -> ReadableVideo | RejectedVideo:
        """Probe one file. If only the comparison with decord fails, the decoder is PyAV."""
        process = self._process or self._start()
        timer = _KillTimer(process, self._seconds)
        request = {"path": str(path), "seconds": self._seconds}
        answer = _exchange(process, json.dumps(request) + "\n")
        counted = answer.get("counted")
        if counted:
            answer = _exchange(process, "")
        is_late = timer.stop()
        if answer and not is_late:
            if "probe" in answer:
                return ReadableVideo.from_json(answer["probe"])
            return RejectedVideo(answer["reason"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)  # for its own exit code
        self.close()
        if counted:
            video = ReadableVideo.from_json(counted)
            return video._replace(notes=(*video.notes, LATE_NOTE)) if is_late else video
        if is_late:
            reason = f"takes longer than {self._seconds:g} s {LATE}"
        else:
            reason = f"ends the decoding process ({_exit_status(process)})"
        return RejectedVideo(reason, is_lasting=False)

    def kill(self) -> None:
        """End the process for good, while another thread may be waiting for its answer."""
        self._is_killed = True
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """End the process; the next `probe` starts another."""
        process, self._process = self._process, None
        if process:
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
        if self._is_killed:
            process.kill()
        timer = _KillTimer(process, START_SECONDS)
        answer = _exchange(process, "")
        if timer.stop() or not answer:
            self.close()
            raise DataError(
                f"the process that decodes videos does not start ({_exit_status(process)})",
                f"run it to see its error message: {' '.join(self._command)}",
            )
        return process


class _KillTimer:
    """Kills a process after a time limit."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
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


def probe_videos(
    paths: Sequence[Path],
    *,
    decoder: str,
    seconds: float,
    workers: int,
    command: Sequence[str] = COMMAND,
) -> Iterator[tuple[Path, ReadableVideo | RejectedVideo]]:
    """Probe files in child processes; yield each result when it is ready, in no fixed order."""
    count = min(workers, len(paths))
    processes = [ProbeProcess(decoder, seconds, command) for _ in range(count)]
    idle: queue.SimpleQueue[ProbeProcess] = queue.SimpleQueue()
    for process in processes:
        idle.put(process)
    executor = ThreadPoolExecutor(max_workers=max(count, 1))
    remaining = iter(paths)
    try:
        for path, future in run_tasks(
            executor,
            lambda path: _probe_with_idle(idle, path),
            lambda: next(remaining, None),
            capacity=lambda: TASKS_PER_PROCESS * count,
        ):
            yield path, future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:  # threads that wait for an answer continue when it ends
            process.kill()
        executor.shutdown(wait=True)
        for process in processes:
            process.close()


def _probe_with_idle(
    idle: "queue.SimpleQueue[ProbeProcess]", path: Path
) -> ReadableVideo | RejectedVideo:
    process = idle.get()
    try:
        return process.probe(path)
    finally:
        idle.put(process)


def _exchange(process: subprocess.Popen[str], request: str) -> dict[str, Any]:
    """Send a line (or nothing) and return the next answer, {} if the process has ended."""
    assert process.stdin is not None and process.stdout is not None, "started with pipes"
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        return {}
    line = process.stdout.readline()
    answer: dict[str, Any] = json.loads(line) if line.endswith("\n") else {}
    return answer


def _exit_status(process: subprocess.Popen[str]) -> str:
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

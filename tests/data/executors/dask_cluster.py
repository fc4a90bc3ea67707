"""A Dask cluster of real processes on this machine, and tasks for its workers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from videomae_cli import atomic
from videomae_cli.data.executors import cluster_transcoding
from videomae_cli.data.executors.cluster_commands import is_wanted
from videomae_cli.data.executors.cluster_probing import Batch, Result, probe_batch
from videomae_cli.data.executors.cluster_transcoding import Job, transcode_job

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")
SECONDS = 60


class Processes(NamedTuple):
    """The processes of a cluster."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def start_cluster(
    folder: Path, workers: int, *, nanny: bool = False, failures: int = 3
) -> Iterator[Processes]:
    """Start a scheduler and its workers; end them with the block.

    Args:
        folder: For files and logs of the processes.
        workers: Number of workers; each runs one task at a time.
        nanny: Whether workers that die are started again.
        failures: How many workers may die of a task.
    """
    file = folder / "scheduler.json"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(failures),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *words, *LOCAL]
        with (folder / f"{program}-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder)
        started.append(process)
        return process

    try:
        scheduler = start("dask_scheduler", "--port", "0", "--scheduler-file", str(file))
        wait_until(lambda: file.is_file() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        words = ["--nthreads", "1", "--local-directory", str(folder)]
        words.append("--nanny" if nanny else "--no-nanny")
        running = [start("dask_worker", address, *words) for _ in range(workers)]
        _wait_for_workers(address, workers)
        yield Processes(address, scheduler, running)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_workers(address: str, count: int) -> None:
    """Wait until all workers have joined: a command counts those that are there when it starts."""
    from distributed import Client  # an extra

    with Client(address, set_as_default=False) as client:
        wait_until(lambda: len(client.nthreads()) == count)


def wait_until(is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for something; an AssertionError if it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def double(number: int) -> int:
    """Return twice a number; a task."""
    return 2 * number


def die_once(marker: str) -> str:
    """Kill the worker that runs this first, and leave a marker."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os._exit(1)
    return path.name


def wait_while_wanted(folder: str) -> None:
    """Leave a mark, and another one when no process waits for the result."""
    Path(folder, "started").touch()
    while is_wanted():
        time.sleep(0.05)
    Path(folder, "ended").touch()


def probe_or_die(batch: Batch) -> list[Result]:
    """Probe files; the worker dies if one is named after a poison."""
    if any("poison" in file.path for file in batch.files):
        os._exit(1)
    return probe_batch(batch)


def transcode_or_die(job: Job) -> cluster_transcoding.Result:
    """Write a video; the worker dies in the middle of a file that is named after a poison."""
    if "poison" in job.task.source.name:
        with atomic.replacing(job.task.output, 7) as partial:
            partial.write_bytes(b"half")
            os._exit(1)
    return transcode_job(job)

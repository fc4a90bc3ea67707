"""Run the shards of one `videomae` command on the workers of a Dask cluster.

Each task is a process `videomae COMMAND ... --shard I/N` on the machine of a worker, in the same
directory, which all machines share. It may use a GPU and start processes of its own. It ends if
this process stops or dies.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli import __version__
from videomae_cli.data.executors.cluster import SAME, Cluster, WorkerDied, connect_cluster
from videomae_cli.data.executors.share import Share
from videomae_cli.errors import DataError, Stopped
from videomae_cli.report import Report

JOBS_PER_THREAD = 2  # each has to load the model; more would balance the load better
POLL_SECONDS, END_SECONDS = 0.5, 60.0
BAD_INPUT = 3  # exit code if some videos cannot be read, and all others have results
TAIL_BYTES = 20_000


class Command(NamedTuple):
    """A command line for a worker."""

    words: tuple[str, ...]
    """After `videomae`."""
    share: Share
    folder: str
    """The working directory."""
    stdin: bytes
    version: str
    """Of this package; the worker must have the same."""


class Finished(NamedTuple):
    """A command that has ended."""

    code: int
    """Its exit code; negative for a signal; 3 if some inputs, or all, cannot be read."""
    error: str
    """The error that it has printed; may be empty."""


def run_shards(
    words: Sequence[str],
    address: str,
    report: Report,
    *,
    most: int | None = None,
    stdin: bytes = b"",
) -> dict[Share, Finished]:
    """Run all shards of a command, and return how each has ended: with exit code 0 or 3.

    Args:
        words: The command, after `videomae`, without `--shard`.
        address: Of the scheduler.
        report: Shows the progress.
        most: Largest number of shards.
        stdin: What each command reads.

    Raises:
        UsageError: There is no such cluster.
        DataError: A command fails, or the cluster cannot go on.
        Stopped: Ctrl-C; what the commands have written is kept.
    """
    with connect_cluster(address, report) as cluster:
        jobs = JOBS_PER_THREAD * cluster.count_threads()
        jobs = max(1, jobs if most is None else min(jobs, most))
        report.start("running shards", total=jobs, unit="shard")
        try:
            return _run(cluster, words, jobs, stdin, report)
        except KeyboardInterrupt as error:
            raise Stopped(
                "stopped before all shards were done", "run the same command again", exit_code=130
            ) from error
        finally:
            report.finish()


def _run(
    cluster: Cluster, words: Sequence[str], jobs: int, stdin: bytes, report: Report
) -> dict[Share, Finished]:
    ended: dict[Share, Finished] = {}
    folder = str(Path.cwd())
    shares = iter([Share(number, jobs) for number in range(jobs)])

    def next_command() -> Command | None:
        share = next(shares, None)
        return None if share is None else Command(tuple(words), share, folder, stdin, __version__)

    for command, result in cluster.run(run_command, next_command):
        try:
            finished = result()
        except WorkerDied:
            finished = Finished(-9, "every worker that ran it has died")
        if finished.code not in (0, BAD_INPUT):
            raise explain_failure(command.share, finished)
        ended[command.share] = finished
        report.advance()
    return ended


def explain_failure(share: Share, finished: Finished) -> DataError:
    """Return the error of a command that has written nothing."""
    return DataError(
        f"shard {share} fails on the cluster: {finished.error or f'exit code {finished.code}'}",
        "mend it, and run the same command again",
    )


def run_command(command: Command) -> Finished:
    """Run a command on the machine of a worker, until it ends or the task is cancelled.

    Raises:
        DataError: This machine has another version, or does not see the working directory.
    """
    if command.version != __version__:
        raise DataError(f"a worker has videomae {__version__}, not {command.version}", SAME)
    if not Path(command.folder).is_dir():
        raise DataError(
            f"{command.folder} does not exist on the machine of a worker",
            "start the command in a directory of a file system that all machines share",
        )
    line = [sys.executable, "-m", "videomae_cli", *command.words, "--shard", str(command.share)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
        given.write(command.stdin)
        given.seek(0)
        process = subprocess.Popen(
            line, cwd=command.folder, stdin=given, stdout=subprocess.DEVNULL, stderr=printed
        )
        try:
            while is_wanted():
                try:
                    return Finished(process.wait(POLL_SECONDS), _read_error(printed))
                except subprocess.TimeoutExpired:
                    continue
            return Finished(-15, "")  # no process waits for this result
        finally:
            _end(process)


def is_wanted() -> bool:
    """Return whether the task of this thread has not been cancelled."""
    from distributed import get_worker

    try:
        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
    except ValueError:  # not called by a worker
        return True
    return task is not None and task.state == "executing"


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_error(file: Any) -> str:
    """Return the last error that a command has printed, with its hint."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    lines: list[str] = file.read().decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return ""
    return " ".join(lines[starts[-1] :]).removeprefix("error: ")


def drop_flags(words: Sequence[str], flags: dict[str, bool]) -> list[str]:
    """Return a command line without some flags; `flags` says which of them have a value."""
    kept: list[str] = []
    skips = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skips:
            skips = False
        elif name in flags and (flags[name] or not equals):
            skips = flags[name] and not equals
        else:
            kept.append(word)
    return kept

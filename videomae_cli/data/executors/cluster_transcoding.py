"""Write videos anew on the workers of a Dask cluster, as `transcoding/pool.py` does here.

A task is one video. On the machine of the worker, a child process with limited rights decodes and
encodes it, and the worker writes the file into the prepared directory, which all machines share:
each checks that it sees a line that this run has just written there. The bytes of a file depend on
the versions of the libraries and the kind of processor, so these must be the same everywhere.
"""

import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import PIL

from videomae_cli import __version__, atomic
from videomae_cli.data.executors.cluster import SAME, Cluster, WorkerDied
from videomae_cli.data.executors.cluster_probing import (
    DEATH,
    File,
    IdleChildren,
    check_same,
    find_size,
    worker_name,
)
from videomae_cli.data.executors.suspects import Queue
from videomae_cli.data.ingest.cache import describe_software
from videomae_cli.data.ingest.probe import ANY, RejectedVideo, decoder_versions
from videomae_cli.data.transcoding.pool import COMMAND, StoredVideo, Task, TranscodeProcess
from videomae_cli.data.transcoding.record import Mark
from videomae_cli.errors import DataError, UsageError

Result = StoredVideo | RejectedVideo


class Job(NamedTuple):
    """A video that a worker writes."""

    task: Task
    size: int
    """Bytes of the source as this process sees it."""
    seconds: float
    software: str
    """What the worker must have installed."""
    mark: Mark
    """In the prepared directory."""
    is_alone: bool = False
    """Whether it runs while nothing else does."""

    def divide(self) -> "list[Job]":
        """Return the video alone."""
        return [self._replace(is_alone=True)]


def transcode_on_cluster(
    cluster: Cluster,
    mark: Mark,
    seconds: float,
    tasks: Sequence[Task],
    *,
    transcode: "Callable[[Job], Result] | None" = None,
) -> Iterator[tuple[Task, Result]]:
    """Yield each task and its result when it is done, in no fixed order.

    Args:
        cluster: Its workers see sources and outputs under the same paths.
        mark: See `TranscodeRecord.put_mark`.
        seconds: Time limit for one file, see `TranscodeProcess`.
        tasks: The videos.
        transcode: Writes one; None: `transcode_job`.

    Raises:
        DataError: The cluster cannot go on, or a worker does not see what is seen here.
        UsageError: A worker cannot write a file.
        OSError: What workers that died have left cannot be removed.
    """
    software = _describe_software()
    jobs = (Job(task, find_size(task.source), seconds, software, mark) for task in tasks)
    queue = Queue(jobs)
    for job, result in cluster.run(transcode or transcode_job, queue.next):
        outcome: Result | None = None
        try:
            outcome = result()
        except WorkerDied:
            if queue.blame(job):
                outcome = RejectedVideo(DEATH, is_lasting=False)
        queue.running -= 1
        if outcome is not None:
            yield job.task, outcome
    atomic.remove_partial_files({task.output for task in tasks})  # of workers that died


def transcode_job(job: Job) -> Result:
    """Write one video on the machine of a worker.

    Raises:
        DataError: It has other software, or does not see the files that were seen before.
        UsageError: The file cannot be written.
    """
    software = _describe_software()
    if software != job.software:
        raise DataError(f"{worker_name()} has other versions: {software}, not {job.software}", SAME)
    check_same(File(str(job.task.source), job.size))
    check_directory(job.mark)
    process = _IDLE.take(ANY, job.seconds)
    try:
        return process.transcode(job.task)
    except OSError as error:
        raise UsageError(
            f"{error.filename or job.task.output} cannot be written by {worker_name()}: "
            f"{error.strerror or error}",
            "free some space, or give the user of the worker the right to write there",
        ) from error
    finally:
        _IDLE.give_back(ANY, job.seconds, process)


def check_directory(mark: Mark) -> None:
    """Raise a DataError if this machine does not see the prepared directory of the run."""
    path = Path(mark.path)
    try:
        with path.open("rb") as file:
            file.seek(mark.start)
            found = file.read(len(mark.text))
    except FileNotFoundError:
        problem = "is not visible"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    else:
        if found == mark.text.encode("ascii"):
            return
        problem = "is another directory"
    raise DataError(
        f"--out {path.parent} {problem} on the machine of {worker_name()}",
        "all workers must see the prepared directory under the same path: give an --out on a "
        "shared file system",
    )


def _describe_software() -> str:
    versions = describe_software(ANY, decoder_versions(ANY))
    return f"videomae {__version__}, {versions}, Pillow {PIL.__version__}, {platform.machine()}"


_IDLE = IdleChildren(lambda _, seconds: TranscodeProcess(COMMAND, seconds))

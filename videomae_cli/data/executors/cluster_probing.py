"""Probe files on the workers of a Dask cluster, as `ingest/pool.py` does on this machine.

A task is a batch of files. On the machine of the worker, the same child processes with limited
rights decode them, so a file that hangs or kills its process is rejected there too. If the workers
themselves die, each file of the batch is tried alone in the end, and the file that they die of is
rejected.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from videomae_cli import __version__
from videomae_cli.data.executors.cluster import SAME, WorkerDied, connect_cluster
from videomae_cli.data.executors.suspects import Queue
from videomae_cli.data.ingest.cache import describe_software
from videomae_cli.data.ingest.child_process import ChildProcess
from videomae_cli.data.ingest.pool import COMMAND, ProbeProcess
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, decoder_versions
from videomae_cli.errors import DataError
from videomae_cli.report import Report

BATCH_FILES, BATCH_BYTES = 32, 50_000_000  # seconds of work: little is lost with a worker
IDLE_SECONDS = 30.0
Result = ReadableVideo | RejectedVideo
Child = TypeVar("Child", bound=ChildProcess)
DEATH = "every worker of the cluster that decodes it dies"


class File(NamedTuple):
    """A file as this process sees it."""

    path: str
    size: int
    """Bytes; 0 for a folder of frames."""
    known: ReadableVideo | None = None
    """Its properties, if only the decoder has to be chosen."""


class Batch(NamedTuple):
    """Files that a worker probes, one after the other."""

    files: tuple[File, ...]
    decoder: str
    seconds: float
    """Time limit for one file."""
    software: str
    """What the worker must have installed."""
    is_alone: bool = False
    """Whether it is one file that runs while nothing else does."""

    def divide(self) -> "list[Batch]":
        """Return its files, each alone."""
        return [self._replace(files=(file,), is_alone=True) for file in self.files]


def probe_on_cluster(
    paths: Sequence[Path],
    address: str,
    report: Report,
    *,
    decoder: str,
    seconds: float,
    probe: "Callable[[Batch], list[Result]] | None" = None,
    known: Mapping[Path, ReadableVideo] | None = None,
) -> Iterator[tuple[Path, Result]]:
    """Yield the result of each file when its batch is done, in no fixed order.

    Args:
        paths: The files; all workers see them under these paths.
        address: Of the scheduler.
        report: Receives warnings.
        decoder: The decoder asked for.
        seconds: Time limit for one file.
        probe: Probes a batch; None: `probe_batch`.
        known: Properties of files of which only the decoder has to be chosen.

    Raises:
        DataError: The cluster cannot go on, or a worker does not see the files that are seen here.
        UsageError: There is no such cluster.
    """
    queue = Queue(plan_batches(paths, decoder, seconds, known or {}))
    with connect_cluster(address, report) as cluster:
        for batch, result in cluster.run(probe or probe_batch, queue.next):
            try:
                results = result()
            except WorkerDied:
                dead: list[Result] = [RejectedVideo(DEATH, is_lasting=False)]
                results = dead if queue.blame(batch) else []
            queue.running -= 1
            for file, one in zip(batch.files, results, strict=bool(results)):
                yield Path(file.path), one


def plan_batches(
    paths: Sequence[Path],
    decoder: str,
    seconds: float,
    known: Mapping[Path, ReadableVideo] = MappingProxyType({}),
) -> Iterator[Batch]:
    """Yield batches of consecutive files."""
    software = _describe_software(decoder)
    files: list[File] = []
    for path in paths:
        files.append(File(str(path), find_size(path), known.get(path)))
        if len(files) == BATCH_FILES or sum(file.size for file in files) >= BATCH_BYTES:
            yield Batch(tuple(files), decoder, seconds, software)
            files = []
    if files:
        yield Batch(tuple(files), decoder, seconds, software)


def probe_batch(batch: Batch) -> list[Result]:
    """Probe files on the machine of a worker.

    Raises:
        DataError: It has other software, or does not see the files that were seen before.
    """
    software = _describe_software(batch.decoder)
    if software != batch.software:
        raise DataError(
            f"{worker_name()} has other versions: {software}, and here {batch.software}", SAME
        )
    for file in batch.files:
        check_same(file)
    process = _IDLE.take(batch.decoder, batch.seconds)
    try:
        return [process.probe(Path(file.path), file.known) for file in batch.files]
    finally:
        _IDLE.give_back(batch.decoder, batch.seconds, process)


class IdleChildren(Generic[Child]):
    """Child processes that wait for the next task; they end when none comes for a while."""

    def __init__(self, start: Callable[[str, float], Child]) -> None:
        self._lock = threading.Lock()
        self._start = start
        self._idle: dict[tuple[str, float], list[Child]] = {}
        self._timer: threading.Timer | None = None

    def take(self, decoder: str, seconds: float) -> Child:
        """Return a process for one thread."""
        with self._lock:
            idle = self._idle.get((decoder, seconds))
            return idle.pop() if idle else self._start(decoder, seconds)

    def give_back(self, decoder: str, seconds: float, process: Child) -> None:
        """Keep a process for the next batch."""
        with self._lock:
            self._idle.setdefault((decoder, seconds), []).append(process)
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(IDLE_SECONDS, self.close)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """End all processes that no thread uses."""
        with self._lock:
            processes = [process for idle in self._idle.values() for process in idle]
            self._idle.clear()
        for process in processes:
            process.close()


class IdleProcesses(IdleChildren[ProbeProcess]):
    """Child processes that probe files."""

    def __init__(self) -> None:
        super().__init__(lambda decoder, seconds: ProbeProcess((*COMMAND, decoder), seconds))


_IDLE = IdleProcesses()


def _describe_software(decoder: str) -> str:
    return f"videomae {__version__}, {describe_software(decoder, decoder_versions(decoder))}"


def check_same(file: File) -> None:
    """Raise a DataError if this machine sees no such file, or another one."""
    path = Path(file.path)
    if not path.exists():
        found = "does not exist"
    elif find_size(path) != file.size:
        found = f"has {find_size(path):,} bytes, and {file.size:,} elsewhere"
    else:
        return
    raise DataError(
        f"{path} {found} on the machine of {worker_name()}",
        "all workers must see the videos under the same paths: use a shared file system",
    )


def find_size(path: Path) -> int:
    """Return the bytes of a file; 0 for a folder of frames, or if it cannot be read."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def worker_name() -> str:
    """Return the name of the worker that runs this, for messages."""
    try:
        from distributed import get_worker

        return f"the worker {get_worker().address}"
    except (ImportError, ValueError):  # not called by a worker
        return "this process"

"""Probe files on the workers of a Dask cluster, as `ingest/pool.py` does on this machine.

A task is a batch of files. On the machine of the worker, the same child processes with limited
rights decode them, so a file that hangs or kills its process is rejected there too. If the workers
themselves die, each file of the batch is tried alone in the end, and the file that they die of is
rejected.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli import __version__
from videomae_cli.data.executors.cluster import SAME, WorkerDied, connect_cluster
from videomae_cli.data.ingest.cache import describe_software
from videomae_cli.data.ingest.pool import COMMAND, ProbeProcess
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, decoder_versions
from videomae_cli.errors import DataError
from videomae_cli.report import Report

BATCH_FILES, BATCH_BYTES = 32, 50_000_000  # seconds of work: little is lost with a worker
IDLE_SECONDS = 30.0
Result = ReadableVideo | RejectedVideo
DEATH = "every worker of the cluster that decodes it dies"


class File(NamedTuple):
    """A file as this process sees it."""

    path: str
    size: int
    """Bytes; 0 for a folder of frames."""


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


def probe_on_cluster(
    paths: Sequence[Path],
    address: str,
    report: Report,
    *,
    decoder: str,
    seconds: float,
    probe: "Callable[[Batch], list[Result]] | None" = None,
) -> Iterator[tuple[Path, Result]]:
    """Yield the result of each file when its batch is done, in no fixed order.

    Args:
        paths: The files; all workers see them under these paths.
        address: Of the scheduler.
        report: Receives warnings.
        decoder: The decoder asked for.
        seconds: Time limit for one file.
        probe: Probes a batch; None: `probe_batch`.

    Raises:
        DataError: The cluster cannot go on, or a worker does not see the files that are seen here.
        UsageError: There is no such cluster.
    """
    queue = _Queue(plan_batches(paths, decoder, seconds))
    with connect_cluster(address, report) as cluster:
        for batch, result in cluster.run(probe or probe_batch, queue.next):
            try:
                results = result()
            except WorkerDied:
                results = queue.blame(batch)
            queue.running -= 1
            for file, one in zip(batch.files, results, strict=bool(results)):
                yield Path(file.path), one


class _Queue:
    """Batches, and then the files of batches whose workers died, each while nothing else runs.

    A batch that waits on a worker while that one dies of another batch is blamed too.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._suspects: deque[Batch] = deque()
        self.running = 0

    def next(self) -> Batch | None:
        """Return the next batch; None if there is none, or others must end before it."""
        batch = next(self._batches, None)
        if batch is None and self._suspects and not self.running:
            batch = self._suspects.popleft()
        self.running += batch is not None
        return batch

    def blame(self, batch: Batch) -> list[Result]:
        """Return the results of a batch whose workers died; none if its files run again."""
        if batch.is_alone:
            return [RejectedVideo(DEATH, is_lasting=False)]
        alone = (batch._replace(files=(file,), is_alone=True) for file in batch.files)
        self._suspects.extend(alone)
        return []


def plan_batches(paths: Sequence[Path], decoder: str, seconds: float) -> Iterator[Batch]:
    """Yield batches of consecutive files."""
    software = _describe_software(decoder)
    files: list[File] = []
    for path in paths:
        files.append(File(str(path), _size(path)))
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
            f"{_worker_name()} has other versions: {software}, and here {batch.software}", SAME
        )
    for file in batch.files:
        _check_same(file)
    process = _IDLE.take(batch.decoder, batch.seconds)
    try:
        return [process.probe(Path(file.path)) for file in batch.files]
    finally:
        _IDLE.give_back(batch.decoder, batch.seconds, process)


class IdleProcesses:
    """Child processes that wait for the next batch; they end when none comes for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, float], list[ProbeProcess]] = {}
        self._timer: threading.Timer | None = None

    def take(self, decoder: str, seconds: float) -> ProbeProcess:
        """Return a process for one thread."""
        with self._lock:
            idle = self._idle.get((decoder, seconds))
            return idle.pop() if idle else ProbeProcess((*COMMAND, decoder), seconds)

    def give_back(self, decoder: str, seconds: float, process: ProbeProcess) -> None:
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


_IDLE = IdleProcesses()


def _describe_software(decoder: str) -> str:
    return f"videomae {__version__}, {describe_software(decoder, decoder_versions(decoder))}"


def _check_same(file: File) -> None:
    """Raise a DataError if this machine sees no such file, or another one."""
    path = Path(file.path)
    if not path.exists():
        found = "does not exist"
    elif _size(path) != file.size:
        found = f"has {_size(path):,} bytes, and {file.size:,} elsewhere"
    else:
        return
    raise DataError(
        f"{path} {found} on the machine of {_worker_name()}",
        "all workers must see the videos under the same paths: use a shared file system",
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _worker_name() -> str:
    try:
        from distributed import get_worker

        return f"the worker {get_worker().address}"
    except (ImportError, ValueError):  # not called by a worker
        return "this process"

"""Write videos anew on this machine or on a Dask cluster; the files are the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from videomae_cli.data.ingest.probe import RejectedVideo
from videomae_cli.data.transcoding.pool import StoredVideo, Task, transcode_videos
from videomae_cli.data.transcoding.record import TranscodeRecord
from videomae_cli.report import Report


class WriteOptions(NamedTuple):
    """How videos are written."""

    seconds: float
    """Time limit for one file, see `transcode_videos`."""
    processes: int
    """Child processes of this one."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster; its workers write then."""


class Writer(NamedTuple):
    """Writes videos."""

    processes: int
    """How many at a time."""
    write: Callable[[Sequence[Task]], Iterator[tuple[Task, StoredVideo | RejectedVideo]]]
    """Yields each result when it is ready, in no fixed order."""


@contextmanager
def open_writer(options: WriteOptions, record: TranscodeRecord, report: Report) -> Iterator[Writer]:
    """Connect to the cluster, if there is one; `record` is open for new lines.

    Raises:
        UsageError: There is no such cluster.
        OSError: The record cannot be written.
    """
    if options.scheduler is None:
        seconds, workers = options.seconds, options.processes
        yield Writer(workers, partial(transcode_videos, seconds=seconds, workers=workers))
        return
    from videomae_cli.data.executors.cluster import connect_cluster
    from videomae_cli.data.executors.cluster_transcoding import transcode_on_cluster

    with connect_cluster(options.scheduler, report) as cluster:
        write = partial(transcode_on_cluster, cluster, record.put_mark(), options.seconds)
        yield Writer(cluster.count_threads(), write)

"""Probe files on this machine or on a Dask cluster; the results are the same."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.ingest.pool import probe_videos
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.report import Report


class ProbeOptions(NamedTuple):
    """How files are probed."""

    decoder: str
    seconds: float
    """Time limit for one file."""
    workers: int = 0
    """Number of child processes of this one; 0: one per usable CPU."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster; its workers decode then."""


def probe_files(
    paths: Sequence[Path],
    options: ProbeOptions,
    report: Report,
    known: Mapping[Path, ReadableVideo] | None = None,
) -> Iterator[tuple[Path, ReadableVideo | RejectedVideo]]:
    """Yield the result of each file when it is ready, in no fixed order.

    Of files that are `known`, only the decoder is chosen.

    Raises:
        DataError: The child processes do not start, or the cluster cannot go on.
        UsageError: There is no such cluster.
    """
    if options.scheduler is None:
        yield from probe_videos(
            paths,
            decoder=options.decoder,
            seconds=options.seconds,
            workers=options.workers or _usable_cpus(),
            known=known,
        )
    elif paths:
        from videomae_cli.data.executors.cluster_probing import probe_on_cluster

        yield from probe_on_cluster(
            paths,
            options.scheduler,
            report,
            decoder=options.decoder,
            seconds=options.seconds,
            known=known,
        )


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

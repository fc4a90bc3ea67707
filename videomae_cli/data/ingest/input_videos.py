"""Probe videos that belong to no prepared data set, exactly as `prepare` does.

The same child processes decode them completely, with the same result: frame count, rate, times and
decoder. So a model sees the same pixels as of the same video in a prepared data set.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.evaluation.views import NO_ARRAYS
from videomae_cli.data.ingest.input_files import InputFile, find_problem
from videomae_cli.data.ingest.pool import probe_videos
from videomae_cli.data.ingest.probe import AUTO, LATE, ReadableVideo, RejectedVideo
from videomae_cli.data.manifest import Seconds, Video
from videomae_cli.report import Report

SPLIT = "test"  # of rows that belong to no split
SECONDS_PER_FILE, SECONDS_PER_MEGABYTE = 60.0, 1.0


class RejectedInput(NamedTuple):
    """An input that gives no result."""

    name: str
    reason: str


class InputVideos(NamedTuple):
    """The readable videos of a command line, as rows of a manifest in memory."""

    root: Path
    """The directory that the paths of the rows are relative to."""
    videos: tuple[Video, ...]
    """In the order of the command line; without labels."""
    times: dict[str, Seconds]
    """Seconds from the first frame to each frame, by `Video.path`, if `fps` does not give them."""
    rejected: tuple[RejectedInput, ...]
    arrays: Mapping[int, NDArray[np.uint8]] = NO_ARRAYS
    """All frames (T, H, W, C) of the videos that are arrays in memory, by number."""


def probe_inputs(
    files: Sequence[InputFile], report: Report, *, workers: int | None = None
) -> InputVideos:
    """Decode every video once, in child processes, and return those that can be read.

    Args:
        files: The inputs.
        report: Shows the progress.
        workers: Number of processes; None: one per usable CPU.
    """
    problems = {file: problem for file in files if (problem := find_problem(file))}
    paths = [file.path for file in files if file not in problems]
    results: dict[Path, ReadableVideo | RejectedVideo] = {}
    report.start("probing", total=len(paths), unit="video")
    try:
        probed = probe_videos(
            paths, decoder=AUTO, seconds=_time_limit(paths), workers=workers or _usable_cpus()
        )
        for path, result in probed:
            results[path] = result
            report.advance()
    finally:
        report.finish()
    videos, times, rejected = [], {}, []
    for file in files:
        result = RejectedVideo(problems[file]) if file in problems else results[file.path]
        if isinstance(result, RejectedVideo):
            rejected.append(RejectedInput(file.name, result.reason.removesuffix(f" {LATE}")))
            continue
        videos.append(Video(file.name, None, SPLIT, *result.columns))
        if result.times:
            times[file.name] = np.asarray(result.times, dtype=np.float64)
    return InputVideos(Path.cwd(), tuple(videos), times, tuple(rejected))


def _time_limit(paths: Sequence[Path]) -> float:
    """Return the time limit for one file in seconds: longer if there are large files."""
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return SECONDS_PER_FILE + SECONDS_PER_MEGABYTE * max(sizes, default=0) / 1e6


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

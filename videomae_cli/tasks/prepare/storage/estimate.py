"""What it costs to write videos in another form, and what that gains, measured on some of them."""

import shutil
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import NamedTuple

from videomae_cli.data.decode import read_frames
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import RejectedVideo
from videomae_cli.data.transcoding.forms import FORMS, Settings
from videomae_cli.data.transcoding.geometry import find_frame_size
from videomae_cli.data.transcoding.pool import StoredVideo, Task
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.units import duration, plural, seconds, si

SAMPLE = 20
CLIP_FRAMES, CLIP_STEP = 16, 4  # the usual clip
READS = 2  # of each clip; the faster one counts
SPARE_SHARE = 0.05  # of the estimate: must be free as well


class AllShards(NamedTuple):
    """The disk that the shards of all jobs take together, if each is like this one."""

    share: Share
    """The job that was measured."""
    out_bytes: float
    written_bytes: int
    """Of them, those on the disk by now."""


class Estimate(NamedTuple):
    """What all videos of a run will cost and gain."""

    videos: int
    measured: int
    """Number of videos that the figures are from."""
    settings: Settings
    source_bytes: int
    out_bytes: float
    """Of all videos."""
    written_bytes: int
    """Of them, those of the measured ones, which are on the disk by now."""
    free_bytes: int
    seconds: float
    """To write the others."""
    processes: int
    clip_seconds: tuple[float, float] | None
    """Processor time of reading a clip from the source, and from what is written."""
    shards: AllShards | None = None
    """If this run is one of several jobs."""


def choose_sample(tasks: Sequence[Task]) -> list[Task]:
    """Return up to SAMPLE tasks, at equal distances."""
    count = min(SAMPLE, len(tasks))
    return [tasks[place * len(tasks) // count] for place in range(count)]


def estimate(
    tasks: Sequence[Task],
    sample: Sequence[Task],
    outcomes: Mapping[Path, StoredVideo | RejectedVideo],
    out: Path,
    processes: int,
) -> Estimate:
    """Estimate the cost of all tasks from those of a sample that are done.

    Bytes are in proportion to the pixels that are written, time to the pixels that are read and
    written.
    """
    stored = [
        (task, outcome)
        for task in sample
        if isinstance(outcome := outcomes[task.output], StoredVideo)
    ]
    written = sum(outcome.bytes for _, outcome in stored)
    spent = sum(outcome.seconds for _, outcome in stored)
    done = [task for task, _ in stored]
    share = _sum_out(tasks) / max(_sum_out(done), 1)
    work = (_sum_in(tasks) + _sum_out(tasks)) / max(_sum_in(done) + _sum_out(done), 1)
    return Estimate(
        len(tasks),
        len(done),
        tasks[0].settings,
        sum(_source_bytes(task.source) for task in tasks),
        written * share,
        written,
        shutil.disk_usage(out).free,
        spent * max(work - 1, 0) / processes,
        processes,
        _time_clips(done),
    )


def show_estimate(expected: Estimate, report: Report) -> None:
    """Say what the rest of the run costs and gains."""
    settings, shards = expected.settings, expected.shards
    report.say(
        (f"shard {shards.share}: " if shards else "")
        + f"transcoding {plural(expected.videos)}: {FORMS[settings.form].title}, short side at "
        f"most {settings.short_side} pixels"
    )
    if not expected.measured:
        return
    free = expected.free_bytes + expected.written_bytes
    time_left = (
        f" and {_format_time(expected.seconds)} more with {plural(expected.processes, 'process')}"
    )
    others = ""
    if shards:
        others = f", all {plural(shards.share.jobs, 'shard')} {si(shards.out_bytes)}B"
    report.say(
        f"it will take about {si(expected.out_bytes)}B of disk{others} (the files as they are: "
        f"{si(expected.source_bytes)}B; free: {si(free)}B){time_left * (expected.seconds > 0)}, "
        f"as measured on {expected.measured:,} of them"
    )
    if expected.clip_seconds is not None:
        before, after = expected.clip_seconds
        report.say(
            f"reading a clip of {CLIP_FRAMES} frames, every fourth, takes {seconds(after)} of "
            f"processor time then, and {seconds(before)} from the files as they are (medians)"
        )


def _format_time(time: float) -> str:
    return seconds(time) if time < 60 else duration(time / 3600)


def check_space(expected: Estimate, out: Path) -> None:
    """Raise a DataError if the disk is too small for all videos."""
    out_bytes, written_bytes, which = expected.out_bytes, expected.written_bytes, "videos"
    if expected.shards is not None:
        share, out_bytes, written_bytes = expected.shards
        which = f"videos of all {share.jobs} shards"
    if (1 + SPARE_SHARE) * out_bytes - written_bytes <= expected.free_bytes:
        return
    raise DataError(
        f"{out}: the {which} need about {si(out_bytes)}B of disk, and "
        f"{si(expected.free_bytes + written_bytes)}B are free",
        "free some space, choose another --out, a smaller --short-side, or a smaller form: "
        "--transcode is the smallest, then --all-intra, --jpeg, --uint8",
    )


def _sum_in(tasks: Sequence[Task]) -> int:
    return sum(task.video.frames * task.video.width * task.video.height for task in tasks)


def _sum_out(tasks: Sequence[Task]) -> int:
    """Return the pixels that are written, as if those of the sources were square."""
    total = 0
    for task in tasks:
        video = task.video
        size = find_frame_size(video.width, video.height, Fraction(1), task.settings.short_side)
        total += video.frames * size[0] * size[1]
    return total


def _source_bytes(source: Path) -> int:
    files = source.iterdir() if source.is_dir() else (source,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _time_clips(tasks: Sequence[Task]) -> tuple[float, float] | None:
    """Return the median processor time of reading a clip from the sources and from the outputs."""
    before, after = [], []
    for task in tasks:
        decoder = FORMS[task.settings.form].decoder
        frames = _clip_frames(task.video.frames)
        try:
            times = (
                _time_read(task.source, frames, task.video.decoder),
                _time_read(task.output, frames, decoder),
            )
        except DataError:  # grey or other channels, or a source that has just gone
            continue
        before.append(times[0])
        after.append(times[1])
    return (median(before), median(after)) if before else None


def _clip_frames(count: int) -> list[int]:
    """Return the frames of a clip in the middle of a video."""
    last = min(count - 1, (CLIP_FRAMES - 1) * CLIP_STEP)
    start = (count - 1 - last) // 2
    return [start + last * place // (CLIP_FRAMES - 1) for place in range(CLIP_FRAMES)]


def _time_read(path: Path, frames: Sequence[int], decoder: str) -> float:
    spent = []
    for _ in range(READS):
        began = time.process_time()
        read_frames(path, frames, decoder=decoder)
        spent.append(time.process_time() - began)
    return min(spent)

"""`videomae prepare` as one of N jobs (`--shard I/N`), which decodes its part of the videos.

Each job lists the whole source, and decodes every N-th video, and writes it anew if a form is asked
for. The results go to the prepared directory, which all jobs share. Then the same command without
`--shard` finds all results there, and writes the manifest: the one that a single run would have
written.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.cache import count_finished
from videomae_cli.data.ingest.probe import RejectedVideo
from videomae_cli.data.ingest.segments import place_segments
from videomae_cli.data.transcoding.record import find_finished
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import PrepareOptions, check_options
from videomae_cli.tasks.prepare.output import create_directory
from videomae_cli.tasks.prepare.probing import probe_entries
from videomae_cli.tasks.prepare.source import read_source
from videomae_cli.tasks.prepare.storage.transcoding import (
    Probed,
    choose_settings,
    store_videos,
)

NEXT = "the same command without --shard"


class ShardSummary(NamedTuple):
    """What one job has done."""

    out: Path
    """The prepared directory."""
    share: Share
    listed: int
    """Number of videos of all jobs."""
    videos: int
    """Number of readable videos of this job."""
    rejected: Counter[str]
    """Number of videos of this job for each reason."""
    finished: int
    """Number of jobs that have finished, this one included."""

    def as_json(self) -> dict[str, object]:
        """Return the summary for a program."""
        return {
            "out": str(self.out),
            "shard": str(self.share),
            "listed": self.listed,
            "videos": self.videos,
            "rejected": dict(self.rejected.most_common()),
            "finished_shards": self.finished,
            "next": NEXT,
        }


def run(source: Path, out: Path, report: Report, options: PrepareOptions) -> ShardSummary:
    """Probe the videos of one job, write them if a form is asked for, and report what is left.

    Raises:
        UsageError: A file cannot be written, or there is no such layout, decoder or cluster.
        DataError: The list is wrong (the message gives file and line), or videos are rejected with
            `is_strict`, or more than `max_bad` allows of all, or the disk is too small.
        Stopped: Ctrl-C; the results so far are kept.
    """
    check_options(source, out, options)
    create_directory(out)
    listed = read_source(source, options, report)  # a wrong list is an error in every job
    entries, root = listed.entries, listed.root

    files = list(dict.fromkeys(entry.path for entry in entries))
    own_files = set(options.share.select(files))  # with all segments of each file
    own = [entry for entry in entries if entry.path in own_files]
    results = probe_entries(own, root, out, options, report)
    jobs = options.share.jobs
    if options.form is not None:
        results, _, _ = place_segments(own, results, root)
        _check_rejected(results, len(entries), options)  # before the work of writing videos
        results = store_videos(own, results, root, out, options, report).results
        finished = len(find_finished(out, jobs, choose_settings(options)))
    else:
        finished = count_finished(out, jobs)
    if jobs == 1:
        finished = 1  # this one: a single job writes the records of a run without jobs
    rejected = _check_rejected(results, len(entries), options)
    readable = len(own) - rejected.total()
    summary = ShardSummary(out, options.share, len(entries), readable, rejected, finished)
    _show(summary, len(own), report)
    return summary


def _check_rejected(
    results: Sequence[Probed], listed: int, options: PrepareOptions
) -> Counter[str]:
    """Count the rejected videos; a DataError if these alone are more than the options allow."""
    rejected = Counter(one.reason for one in results if isinstance(one, RejectedVideo))
    if options.is_strict and rejected:
        reason, _ = rejected.most_common(1)[0]
        raise DataError(
            f"{rejected.total()} of {len(results)} videos of shard {options.share} are rejected,"
            f" and --strict allows none: {reason}",
            "leave out --strict, or repair them",
        )
    budget = options.bad_budget
    if options.form is not None and budget is not None and rejected.total() > budget * listed:
        reason, _ = rejected.most_common(1)[0]
        raise DataError(
            f"{rejected.total():,} videos of shard {options.share} are rejected, and --max-bad"
            f" allows {budget:.1%} of all {listed:,}: {reason}",
            "allow more, or repair them",
        )
    return rejected


def _show(summary: ShardSummary, own: int, report: Report) -> None:
    report.say(
        f"shard {summary.share}: {own:,} of {summary.listed:,} videos, {summary.videos:,} readable,"
        f" {summary.rejected.total():,} rejected"
    )
    jobs = summary.share.jobs
    state = "all shards are" if summary.finished == jobs else f"{summary.finished} of {jobs} are"
    when = "" if summary.finished == jobs else "when all are, "
    report.say(f"{state} finished; {when}write the manifest with {NEXT}")

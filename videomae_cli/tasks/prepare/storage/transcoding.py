"""Write every readable video in another form, except those that an earlier run has written."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from videomae_cli import atomic
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import Video
from videomae_cli.data.transcoding.forms import FORMS, VERSION, Form, Settings, describe_file
from videomae_cli.data.transcoding.output_names import find_output_name
from videomae_cli.data.transcoding.pool import StoredVideo, Task
from videomae_cli.data.transcoding.record import TranscodeRecord, find_unfinished, sum_bytes
from videomae_cli.data.transcoding.writer import WriteOptions, Writer, open_writer
from videomae_cli.errors import DataError, Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import SHORT_SIDE, PrepareOptions
from videomae_cli.tasks.prepare.output import writing
from videomae_cli.tasks.prepare.storage.estimate import (
    AllShards,
    Estimate,
    check_space,
    choose_sample,
    estimate,
    show_estimate,
)
from videomae_cli.tasks.prepare.storage.older_outputs import show_unused_videos
from videomae_cli.units import plural

Probed = ReadableVideo | RejectedVideo
Times = Mapping[str, tuple[float, ...]]
Outcomes = dict[Path, StoredVideo | RejectedVideo]
SHOWN = 5  # names of jobs
SQUARE_NOTE = "non-square pixels"  # of the source; what is written has square ones


class StoredSet(NamedTuple):
    """Where the videos of a data set are, and what they are."""

    results: list[Probed]
    """As probed; if they were written, with the new size and decoder, or why that failed."""
    root: Path
    """The directory that paths are relative to."""
    names: Mapping[str, str] | None = None
    """The path of each written video, by `VideoEntry.path`; None: they are used as they are."""
    facts: Mapping[str, object] = {}
    """For dataset.json."""

    def move(self, videos: Sequence[Video], times: Times) -> tuple[list[Video], Times]:
        """Return rows of the manifest, and times of frames, with the paths of what was written."""
        names = self.names
        if names is None:
            return list(videos), times
        return (
            [video._replace(path=names[video.path]) for video in videos],
            {names[path]: each for path, each in times.items()},
        )


def store_videos(
    entries: Sequence[VideoEntry],
    results: list[Probed],
    root: Path,
    out: Path,
    options: PrepareOptions,
    report: Report,
) -> StoredSet:
    """Write the readable videos below `out`, if the options ask for a form.

    A file that is listed several times is written once. Says first what it will cost and what it
    gains, measured on some of the videos. With a share of several jobs, `entries` are those of this
    job, and its record stays beside those of the others.

    Raises:
        DataError: The disk is too small; nothing is left written then. Or the cluster cannot go
            on.
        UsageError: A file cannot be written.
        Stopped: Ctrl-C; the files so far are kept.
    """
    if options.form is None:
        return StoredSet(results, root)
    out, settings = out.absolute(), choose_settings(options)
    form = FORMS[settings.form]
    names = {entry.path: find_output_name(entry.path, root, form.suffix) for entry in entries}
    tasks = {
        entry.path: Task((root / entry.path).absolute(), out / names[entry.path], video, settings)
        for entry, video in zip(entries, results, strict=True)
        if isinstance(video, ReadableVideo)
    }
    by_output = {task.output: task for task in tasks.values()}
    outcomes = _write_all(list(by_output.values()), settings, out, options, report)
    merged = [
        _merge(video, outcomes[tasks[entry.path].output], form)
        if isinstance(video, ReadableVideo)
        else video
        for entry, video in zip(entries, results, strict=True)
    ]
    facts = {"transcoded": {**settings._asdict(), "version": VERSION}}
    return StoredSet(merged, out, names, facts)


def choose_settings(options: PrepareOptions) -> Settings:
    """Return the settings of the videos that are written; the options ask for a form."""
    assert options.form is not None, "the caller has checked it"
    return Settings(options.form, options.short_side or SHORT_SIDE)


def _merge(video: ReadableVideo, outcome: StoredVideo | RejectedVideo, form: Form) -> Probed:
    if isinstance(outcome, RejectedVideo):
        return outcome._replace(reason=f"cannot be transcoded: {outcome.reason}")
    notes = tuple(note for note in video.notes if not note.startswith(SQUARE_NOTE))
    health = describe_file(form, video.health, outcome.bytes)
    moved = video._replace(decoder=form.decoder, notes=notes, health=health)
    return moved._replace(width=outcome.width, height=outcome.height)


def _write_all(
    tasks: Sequence[Task], settings: Settings, out: Path, options: PrepareOptions, report: Report
) -> Outcomes:
    """Write all videos that no earlier run has written; return what became of each output."""
    is_shard = options.share.jobs > 1
    record = TranscodeRecord(out, options.share)
    outcomes: Outcomes = {task.output: known for task in tasks if (known := record.get(task))}
    if outcomes:
        report.say(f"{len(outcomes):,} of {len(tasks):,} videos are written already and unchanged")
    pending = [task for task in tasks if task.output not in outcomes]
    if pending and not is_shard:
        _show_unfinished(len(pending), settings, out, report)
    with ExitStack() as stack:
        with writing(record.path):
            atomic.remove_partial_files({task.output for task in pending})
            stack.enter_context(record)
        if pending:
            known_bytes = sum(
                one.bytes for one in outcomes.values() if isinstance(one, StoredVideo)
            )
            outcomes |= _write_measured(pending, known_bytes, record, options, report)
        if is_shard:
            with writing(record.path):
                record.mark_finished(settings)
    if not is_shard:
        with writing(record.path):
            record.tidy()
        show_unused_videos(record, {task.output for task in tasks}, report)
    return outcomes


def _show_unfinished(missing: int, settings: Settings, out: Path, report: Report) -> None:
    """Say which jobs have not ended, if there are records of jobs."""
    unfinished = find_unfinished(out, settings)
    if unfinished:
        names = ", ".join(map(str, unfinished[:SHOWN]))
        more = f" and {len(unfinished) - SHOWN:,} more" if len(unfinished) > SHOWN else ""
        report.warn(
            f"not finished: shard {names}{more}; this run writes the {plural(missing, 'video')}"
            f" that {'is' if missing == 1 else 'are'} missing. A job that still runs fails now:"
            " start it again"
        )


def _write_measured(
    pending: Sequence[Task],
    known_bytes: int,
    record: TranscodeRecord,
    options: PrepareOptions,
    report: Report,
) -> Outcomes:
    """Write some videos, say what all will take, and write the others."""
    out = record.path.parent
    sample = choose_sample(pending)
    how = WriteOptions(options.seconds, options.processes, options.scheduler)
    with ExitStack() as stack:
        with writing(record.path):
            writer = stack.enter_context(open_writer(how, record, report))
        outcomes = _write(sample, writer, report, "measuring")
        expected = estimate(pending, sample, outcomes, out, writer.processes)
        if options.share.jobs > 1:
            expected = _add_shards(expected, known_bytes, out, options)
        try:
            show_estimate(expected, report)
            check_space(expected, out)
        except DataError:
            for task in sample:
                task.output.unlink(missing_ok=True)
            raise
        _record(sample, outcomes, record)
        measured = set(sample)
        remaining = [task for task in pending if task not in measured]
        return outcomes | _write(remaining, writer, report, "transcoding", record)


def _add_shards(
    expected: Estimate, known_bytes: int, out: Path, options: PrepareOptions
) -> Estimate:
    """Add what all jobs will write, and have written, to the estimate of one of them."""
    jobs = options.share.jobs
    total = jobs * (known_bytes + expected.out_bytes)
    written = sum_bytes(out, expected.settings) + expected.written_bytes
    return expected._replace(shards=AllShards(options.share, total, written))


def _write(
    tasks: Sequence[Task],
    writer: Writer,
    report: Report,
    title: str,
    record: TranscodeRecord | None = None,
) -> Outcomes:
    outcomes: Outcomes = {}
    if not tasks:
        return outcomes
    report.start(title, total=len(tasks), unit="video")
    try:
        with writing(Path("the transcoded videos")):
            for task, outcome in writer.write(tasks):
                outcomes[task.output] = outcome
                if record is not None:
                    _record([task], outcomes, record)
                report.advance()
    except KeyboardInterrupt as error:
        raise Stopped(
            f"stopped with {len(outcomes):,} of {len(tasks):,} videos written",
            "run the same command again to continue",
            exit_code=130,
        ) from error
    finally:
        report.finish()
    return outcomes


def _record(tasks: Sequence[Task], outcomes: Outcomes, record: TranscodeRecord) -> None:
    for task in tasks:
        outcome = outcomes[task.output]
        if isinstance(outcome, StoredVideo):
            record.put(task, outcome)

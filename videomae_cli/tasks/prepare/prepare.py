"""`videomae prepare`: check a folder or list of videos, and write the manifest that training reads.

A file that cannot be used is rejected with its reason; the others are kept, or written anew in a
form that is faster to read. Nothing is written outside `out`.
"""

from pathlib import Path
from typing import Any

from videomae_cli.data.ingest.list_checks import check_frame_counts
from videomae_cli.data.ingest.segments import place_segments
from videomae_cli.data.manifest import Manifest, Video, write_manifest
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.health.report import (
    collect_facts,
    examine,
    show_findings,
    write_health,
)
from videomae_cli.tasks.prepare.options import PrepareOptions, check_options
from videomae_cli.tasks.prepare.output import create_directory, remove_leftovers, writing
from videomae_cli.tasks.prepare.pixels import measure_pixels
from videomae_cli.tasks.prepare.probing import probe_entries
from videomae_cli.tasks.prepare.rejected import check_budget, write_rejected
from videomae_cli.tasks.prepare.rows import collect_times, describe_data, make_rows
from videomae_cli.tasks.prepare.source import Source, read_source, warn_all
from videomae_cli.tasks.prepare.storage import shards
from videomae_cli.tasks.prepare.storage.older_outputs import show_older_outputs
from videomae_cli.tasks.prepare.storage.side_tables import write_side_tables
from videomae_cli.tasks.prepare.storage.transcoding import StoredSet, store_videos
from videomae_cli.tasks.prepare.summary import PrepareSummary, count_notes, show_summary


def run(
    source: Path, out: Path, report: Report, options: PrepareOptions | None = None
) -> PrepareSummary:
    """Prepare a folder of videos, or a list of them, and show a summary; see `write_prepared`."""
    options = options or PrepareOptions()
    summary = write_prepared(source, out, report, options)
    if options.is_check:
        show_findings(summary.health, report)
    else:
        show_summary(summary, report)
    return summary


def write_prepared(
    source: Path, out: Path, report: Report, options: PrepareOptions
) -> PrepareSummary:
    """Prepare a folder of videos, or a list of them; results of an earlier run are reused.

    Raises:
        UsageError: A file cannot be written, or there is no such layout or decoder.
        DataError: The list is wrong (the message gives file and line), or no video can be used, or
            not all with `is_strict`, or fewer than `max_bad` demands.
        Stopped: Ctrl-C; the results so far are kept.
    """
    check_options(source, out, options)
    create_directory(out)
    listed = read_source(source, options, report)
    entries, root = listed.entries, listed.root

    probed = probe_entries(entries, root, out, options, report)
    probed, spans, cut = place_segments(entries, probed, root)
    remarks = listed.remarks + warn_all(report, [*cut, *check_frame_counts(entries, probed)])
    remove_leftovers(out)
    rejected = write_rejected(entries, probed, out, options)
    if options.form is not None:
        check_budget(rejected, len(entries), out, options)  # before the work of writing videos
    stored = store_videos(entries, probed, root, out, options, report)
    rejected = write_rejected(entries, stored.results, out, options)

    videos = make_rows(entries, listed.labels, stored.results, spans, options, report)
    pixels = measure_pixels(entries, stored.results, videos, report)
    classes = listed.labels.classes
    data = collect_facts(entries, stored.results, videos, classes, options, pixels)
    health = examine(source, out, data.add_sources(entries, probed, options.form))
    manifest = Manifest(root, videos, classes, digest="", task=options.task)
    if not options.is_check:
        facts = describe_data(listed.layout, source, videos, rejected.total(), options)
        facts |= {**stored.facts, **pixels}
        manifest = _write_set(out, listed, stored, videos, facts, options, report)
        show_older_outputs(out, manifest, options, report)
    write_health(health)
    found = rejected, tuple(remarks), count_notes(stored.results), health
    return PrepareSummary(out, listed.layout, manifest, *found, options.reading_decoder)


def _write_set(
    out: Path,
    listed: Source,
    stored: StoredSet,
    videos: list[Video],
    facts: dict[str, Any],
    options: PrepareOptions,
    report: Report,
) -> Manifest:
    """Write the side tables, the shards if the options ask for them, and the manifest."""
    times = collect_times(listed.entries, stored.results)
    listed_paths = [video.path for video in videos]
    videos, moved = stored.move(videos, times)
    names = {path: video.path for path, video in zip(listed_paths, videos, strict=True)}
    write_side_tables(out, listed.side_tables, names, report)
    root, classes = stored.root, listed.labels.classes
    with writing(out):
        if options.shards is not None:
            root = shards.write(options.shards, out, root, videos, classes, report)
        return write_manifest(
            out, root=root, videos=videos, classes=classes, facts=facts, times=moved
        )

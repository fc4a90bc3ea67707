"""Decode every listed video, except those rejected by their path or known from an earlier run.

They are decoded by child processes of this one, or on a Dask cluster; several jobs may share them.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from videomae_cli.data.ingest.cache import ProbeCache
from videomae_cli.data.ingest.list_checks import check_root
from videomae_cli.data.ingest.path_checks import find_path_problem
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, decoder_versions
from videomae_cli.data.ingest.probe_files import ProbeOptions, probe_files
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.output import writing

MANY = 20  # files of one job of several: fewer may be missing by chance
Results = dict[Path, ReadableVideo | RejectedVideo]


def probe_entries(
    entries: Sequence[VideoEntry], root: Path, out: Path, options: PrepareOptions, report: Report
) -> list[ReadableVideo | RejectedVideo]:
    """Return the properties of each listed video, or why it is rejected.

    Raises:
        DataError: No listed file exists, or the cluster cannot go on.
        UsageError: The results cannot be written, or there is no such cluster.
        Stopped: Ctrl-C; the results so far are kept.
    """
    reasons = _find_problems(entries, root, options)
    paths = [Path(os.path.abspath(root / entry.path)) for entry in entries]  # noqa: PTH100
    # each file once, however many segments it has
    files = dict.fromkeys(path for path, why in zip(paths, reasons, strict=True) if not why)
    cache = ProbeCache(
        out,
        options.probing_decoder,
        decoder_versions(options.probing_decoder),
        share=options.share,
        wanted={str(path) for path in files},
    )
    results: Results = {path: known for path in files if (known := cache.get(path))}
    if results:
        total = len(set(paths))
        report.say(f"{len(results):,} of {total:,} files are unchanged since an earlier run")
    unknown = [path for path in files if path not in results]
    counted = {path: video for path in unknown if (video := cache.get_counted(path))}
    if counted:
        report.say(f"of {len(counted):,} unchanged files only the decoder has to be chosen")
    if unknown or options.share.jobs > 1:
        results.update(_probe(unknown, counted, cache, options, report))
    return [
        RejectedVideo(reason) if reason else results[path]
        for path, reason in zip(paths, reasons, strict=True)
    ]


def _find_problems(entries: Sequence[VideoEntry], root: Path, options: PrepareOptions) -> list[str]:
    """Return why each video is rejected without being opened; empty if it is not."""
    required_parent = None if options.root is None else root
    reasons = [
        entry.rejection
        or find_path_problem(
            entry.path,
            root,
            required_parent,
            follows_links=options.follows_links or not entry.line,
        )
        for entry in entries
    ]
    if options.share.jobs == 1 or len(entries) >= MANY:
        check_root(entries, reasons, root)
    return reasons


def _probe(
    paths: Sequence[Path],
    known: Mapping[Path, ReadableVideo],
    cache: ProbeCache,
    options: PrepareOptions,
    report: Report,
) -> Results:
    """Probe files in child processes, and store each result immediately."""
    results: Results = {}
    report.start("probing", total=len(paths), unit="video")
    try:
        with ExitStack() as stack:
            with writing(cache.path):
                stack.enter_context(cache)
            how = ProbeOptions(
                options.probing_decoder, options.seconds, options.processes, options.scheduler
            )
            for path, result in probe_files(paths, how, report, known):
                results[path] = result
                with writing(cache.path):
                    cache.put(path, result)
                report.advance()
            if options.share.jobs > 1:
                with writing(cache.path):
                    cache.mark_finished()
    except KeyboardInterrupt as error:
        raise Stopped(
            f"stopped with {len(results):,} of {len(paths):,} videos probed",
            "run the same command again to continue",
            exit_code=130,
        ) from error
    finally:
        report.finish()
    return results

"""`videomae prepare`: from any folder or list of videos to one manifest that training can trust.

List, check the list, probe every file in child processes, split, write. The only place that meets
broken files kindly: each is rejected alone, with its reason. Nothing is written outside `out`.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli import __version__
from videomae_cli.data import manifest as manifests
from videomae_cli.data.decode import DECODERS
from videomae_cli.data.ingest.cache import ProbeCache
from videomae_cli.data.ingest.labels import Labels, number_labels, read_classes
from videomae_cli.data.ingest.listing import (
    drop_copied_test,
    refuse_doubles,
    refuse_emptied_splits,
    refuse_no_training,
    refuse_wrong_root,
    write_rejected,
)
from videomae_cli.data.ingest.pool import Refused, probe_all
from videomae_cli.data.ingest.probe import AUTO, Probe, check_listed, decoder_versions
from videomae_cli.data.ingest.splits import random_split
from videomae_cli.data.layouts import detect, scan
from videomae_cli.data.layouts.entry import Entry
from videomae_cli.data.manifest import Video, write_manifest
from videomae_cli.errors import DataError, Stopped, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.summary import Census, show

REJECTED = "rejected.csv"


class Options(NamedTuple):
    """How to prepare; each field is a flag of the command.

    `seconds` is the wall-clock time for one file; `workers` 0 means one per usable CPU.
    """

    layout: str | None = None
    root: Path | None = None
    classes: str | None = None
    val_fraction: float = 0.2
    seed: int = 0
    decoder: str = AUTO
    workers: int = 0
    seconds: float = 60.0
    is_strict: bool = False


def run(source: Path, out: Path, report: Report, options: Options | None = None) -> Census:
    """Prepare a data set.

    Args:
        source: A folder of videos, or a list of them.
        out: The prepared directory; what an earlier run left there is used again.
        report: Told what was detected and what came out.
        options: How.

    Raises:
        UsageError: `out` cannot be written there, or no such layout or decoder.
        DataError: The list is wrong (file and line named), or nothing or not all can be used.
        Stopped: Ctrl-C; results so far are kept.
    """
    options = options or Options()
    _check(source, out, options)
    layout, entries = _list(source, options, report)
    root = options.root or (source if source.is_dir() else source.parent)
    refuse_doubles(entries, root)
    refuse_no_training(entries, has_classes=options.classes is not None)
    classes = None if options.classes is None else read_classes(options.classes)
    labels = number_labels(entries, classes)

    results = _probe(entries, root, out, options, report)
    reasons = [result.reason if isinstance(result, Refused) else "" for result in results]
    write_rejected(out / REJECTED, entries, reasons)
    refuse_emptied_splits(entries, reasons, out / REJECTED)
    count = sum(map(bool, reasons))
    if options.is_strict and count:
        raise DataError(
            f"{count} of {len(entries)} videos are rejected, and --strict allows none",
            f"see {out / REJECTED}; no manifest is written",
        )

    videos = _videos(entries, labels, results, options, report)
    rejected = Counter(filter(None, reasons))
    about = _about(layout, source, videos, count, options)
    written = write_manifest(out, root=root, videos=videos, classes=labels.classes, about=about)
    census = Census(out, layout, written, rejected)
    show(census, report)
    return census


def _check(source: Path, out: Path, options: Options) -> None:
    """Refuse what could only end badly, before anything is read; make the directory."""
    if not 0 <= options.val_fraction < 1:
        raise UsageError(f"--val-fraction {options.val_fraction} is not in [0, 1)")
    if options.decoder not in (AUTO, *DECODERS):
        raise UsageError(
            f"no decoder {options.decoder!r}", f"one of: {', '.join((AUTO, *DECODERS))}"
        )
    if (source / manifests.DATASET).exists():
        raise DataError(
            f"{source} is a prepared data set already",
            f"go on with: videomae pretrain --recipe small-data-vits --data {source}",
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(
            f"--out {out} is the source itself", "prepared data needs a place of its own"
        )
    if out.is_file():
        raise UsageError(f"--out {out} is a file", "give a directory")
    if not (out / manifests.DATASET).exists():
        for name in (manifests.MANIFEST, manifests.CLASSES):
            if (out / name).exists():
                raise UsageError(
                    f"{out / name} exists and is not from videomae prepare",
                    "give another --out, or take the file away",
                )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}", "give a place to write to") from error


def _list(source: Path, options: Options, report: Report) -> tuple[str, list[Entry]]:
    """Find out what lies here and list it; say which layout, and why."""
    layout = options.layout
    try:
        if layout is None:
            detected = detect(source)
            layout = detected.name
            report.say(str(detected))
        listed = scan(source, layout)
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}", "it must be readable") from error
    entries, copies = drop_copied_test(listed)
    if copies:
        report.say(f"the test list repeats the val list: taken once, as val ({copies} videos)")
    return layout, entries


def _probe(
    entries: Sequence[Entry], root: Path, out: Path, options: Options, report: Report
) -> list[Probe | Refused]:
    """Judge every entry: by its path, from an earlier run, or by decoding it."""
    fence = None if options.root is None else root
    reasons = [entry.reject or check_listed(entry.path, root, fence) for entry in entries]
    refuse_wrong_root(entries, reasons, root)
    paths = [Path(os.path.abspath(root / entry.path)) for entry in entries]  # noqa: PTH100
    results: dict[Path, Probe | Refused] = {
        path: Refused(reason) for path, reason in zip(paths, reasons, strict=True) if reason
    }
    cache = ProbeCache(out, options.decoder, decoder_versions())
    for path in paths:
        known = cache.get(path) if path not in results else None
        if known is not None:
            results[path] = known
    todo = [path for path in paths if path not in results]
    reused = len(paths) - len(todo) - sum(map(bool, reasons))
    if reused:
        report.say(f"{reused:,} of {len(paths):,} files are unchanged since an earlier run")
    if todo:
        results.update(_decode(todo, cache, options, report))
    return [results[path] for path in paths]


def _decode(
    todo: Sequence[Path], cache: ProbeCache, options: Options, report: Report
) -> dict[Path, Probe | Refused]:
    """Probe files in child processes, and keep each result at once."""
    results: dict[Path, Probe | Refused] = {}
    report.start("probing", total=len(todo), unit="video")
    try:
        with cache:
            for path, result in probe_all(
                todo, decoder=options.decoder, seconds=options.seconds, workers=_workers(options)
            ):
                results[path] = result
                cache.put(path, result)
                report.advance()
    except KeyboardInterrupt as error:
        raise Stopped(
            f"stopped with {len(results):,} of {len(todo):,} videos probed",
            "the same command goes on from there",
            exit_code=130,
        ) from error
    finally:
        report.finish()
    return results


def _workers(options: Options) -> int:
    if options.workers:
        return options.workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _videos(
    entries: Sequence[Entry],
    labels: Labels,
    results: Sequence[Probe | Refused],
    options: Options,
    report: Report,
) -> list[Video]:
    """Put together the rows of the manifest, in the order of the list, each with its split."""
    kept = [
        (entry, label, result)
        for entry, label, result in zip(entries, labels.numbers, results, strict=True)
        if isinstance(result, Probe)
    ]
    splits = [entry.split or "train" for entry, _, _ in kept]
    if labels.classes is not None and not any(entry.split for entry in entries):
        splits = random_split(
            [entry.path for entry, _, _ in kept],
            [label for _, label, _ in kept],
            fraction=options.val_fraction,
            seed=options.seed,
        )
        report.say(
            f"no split is given: {options.val_fraction:.0%} of each class drawn for val with seed "
            f"{options.seed}. A random split: clips of one source may land on both sides"
        )
    return [
        Video(entry.path, label, split, *probe)
        for (entry, label, probe), split in zip(kept, splits, strict=True)
    ]


def _about(
    layout: str, source: Path, videos: Sequence[Video], rejected: int, options: Options
) -> dict[str, object]:
    counts = Counter(video.split for video in videos)
    return {
        "source": str(source.absolute()),
        "layout": layout,
        "videos": {name: counts[name] for name in manifests.SPLITS},
        "rejected": rejected,
        "val_fraction": options.val_fraction,
        "seed": options.seed,
        "decoder": options.decoder,
        "versions": {"videomae": __version__, **decoder_versions()},
    }

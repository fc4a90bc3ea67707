"""Options of `prepare`, and the checks of a command line before anything is read or written."""

import os
from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli.config.model import Task
from videomae_cli.data.decode import FILE_DECODERS, TORCHCODEC
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import ANY, AUTO, PYAV
from videomae_cli.data.layouts.segments.times import UNITS
from videomae_cli.data.manifest import CLASSES, DATASET, MANIFEST
from videomae_cli.data.shards.writer import check_location
from videomae_cli.data.transcoding.forms import H264
from videomae_cli.errors import DataError, UsageError

VAL_FRACTION = 0.2
SHORT_SIDE, LEAST_SHORT_SIDE = 256, 32
CHECK_MAX_BAD = 0.1  # share of rejected videos that --check allows


class PrepareOptions(NamedTuple):
    """The flags of the command."""

    layout: str | None = None
    """None detects the layout."""
    root: Path | None = None
    """The directory that the paths of a list are relative to; None: the directory of the list."""
    classes: str | None = None
    """A file with class names, or their number; None: the labels that occur in the list."""
    task: Task = "single-label"
    label_column: str | None = None
    """Names of columns of a table; None: known by their names."""
    path_column: str | None = None
    split_column: str | None = None
    segment_unit: str | None = None
    """Of the columns with start and end: seconds, frames or milliseconds; None: detected."""
    encoding: str | None = None
    """Of lists and of the file with class names; None: detected."""
    val_fraction: float | None = None
    """Share of each class for val, if the data set gives no split; None: VAL_FRACTION, unless
    something that is not used speaks of a split."""
    seed: int = 0
    """Of the random split."""
    split: str | None = None
    """Of all videos for which the source gives no split; None: drawn at random, or train without
    labels."""
    decoder: str = AUTO
    workers: int = 0
    """Number of processes that decode; 0: one per usable CPU."""
    seconds: float = 60.0
    """Time limit for one file."""
    shards: str | None = None
    """Where to write shards: a directory, absolute or relative to the prepared one, or a URL of
    fsspec; None: the files stay where they are."""
    is_strict: bool = False
    """Whether a rejected video is an error."""
    form: str | None = None
    """A key of `FORMS` that videos are written in; None: they are read as they are."""
    short_side: int | None = None
    """Of the videos that are written, in pixels; None: SHORT_SIDE."""
    follows_links: bool = False
    """Whether links of a list may lead out of its root; those of a folder always may."""
    max_bad: float | None = None
    """Largest share of rejected videos; None: any, or CHECK_MAX_BAD with `is_check`."""
    is_check: bool = False
    """Whether only the health report is written, and no manifest."""
    share: Share = Share()
    """The videos that this job probes, and writes if there is a form, of several jobs."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster that decodes and writes videos; None: this
    machine does."""

    @property
    def reading_decoder(self) -> str:
        """Return the decoder of the files: those that are written anew do not need decord."""
        return self.decoder if self.form is None else PYAV

    @property
    def probing_decoder(self) -> str:
        """Return the decoder to probe files for; none for those that are only written anew."""
        return self.decoder if self.form is None else ANY

    @property
    def processes(self) -> int:
        """Return the number of processes that decode."""
        if self.workers:
            return self.workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    @property
    def bad_budget(self) -> float | None:
        """Return the largest share of rejected videos; None: any."""
        if self.is_check and self.is_strict:
            return 0.0
        return CHECK_MAX_BAD if self.is_check and self.max_bad is None else self.max_bad


def choose_form(*, transcode: bool, all_intra: bool, jpeg: bool, uint8: bool) -> str | None:
    """Return the form that the flags ask for: each of the others implies `--transcode`.

    Raises:
        UsageError: They ask for several.
    """
    flags = {"--all-intra": all_intra, "--jpeg": jpeg, "--uint8": uint8}
    given = [flag for flag, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} ask for several forms", "give one of them")
    if given:
        return given[0].removeprefix("--")
    return H264 if transcode else None


def check_options(source: Path, out: Path, options: PrepareOptions) -> None:
    """Check the options, and that `out` can become the prepared directory of `source`."""
    _check_values(source, out, options)
    if (source / DATASET).exists():
        raise DataError(
            f"{source} is a prepared data set already",
            f"where to start with it: videomae recipes check --data {source}",
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(f"--out {out} is the source itself", "give another directory")
    if out.is_file():
        raise UsageError(f"--out {out} is a file", "give a directory")
    if not (out / DATASET).exists():
        for name in (MANIFEST, CLASSES):
            if (out / name).exists():
                raise UsageError(
                    f"{out / name} exists and was not written by videomae prepare",
                    "give another --out, or remove the file",
                )


def _check_transcoding(source: Path, out: Path, options: PrepareOptions) -> None:
    if options.form is None:
        if options.short_side is not None:
            raise UsageError(
                f"--short-side {options.short_side} is for videos that are written anew",
                "add --transcode, --all-intra, --jpeg or --uint8",
            )
        return
    if options.short_side is not None and options.short_side < LEAST_SHORT_SIDE:
        raise UsageError(f"--short-side {options.short_side} is less than {LEAST_SHORT_SIDE}")
    if options.decoder not in (AUTO, PYAV):
        raise UsageError(
            f"--decoder {options.decoder} cannot be used with --transcode, which reads with PyAV",
            "leave it out",
        )
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"--out {out} is inside {source}: the next run would take the videos that are written "
            "for videos of the data set",
            "give a directory outside it: --out DIR",
        )


def _check_values(source: Path, out: Path, options: PrepareOptions) -> None:
    if options.val_fraction is not None and not 0 <= options.val_fraction < 1:
        raise UsageError(f"--val-fraction {options.val_fraction} is not in [0, 1)")
    if options.max_bad is not None and not 0 <= options.max_bad <= 1:
        raise UsageError(f"--max-bad {options.max_bad} is not in [0, 1]", "for example 0.05")
    choices: dict[str, tuple[str | None, tuple[str, ...]]] = {
        "task": (options.task, get_args(Task)),
        "unit of segments": (options.segment_unit or UNITS[0], UNITS),
        "decoder": (options.decoder, (AUTO, *FILE_DECODERS, TORCHCODEC)),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise UsageError(f"no {name} {value!r}", f"one of: {', '.join(allowed)}")
    if options.is_check and options.share.jobs > 1:
        raise UsageError("--check reports on all videos", "leave out --shard")
    if options.is_check and (options.form is not None or options.shards is not None):
        raise UsageError(
            "--check writes no videos",
            "leave out --check, or --transcode, --all-intra, --jpeg, --uint8 and --shards",
        )
    _check_transcoding(source, out, options)
    if options.shards is not None:
        check_location(options.shards)
    if options.decoder == TORCHCODEC:
        from videomae_cli.data.decoding.readers.torchcodec_reader import import_torchcodec

        import_torchcodec()  # before any video is decoded; it loads torch

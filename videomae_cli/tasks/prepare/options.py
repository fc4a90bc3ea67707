"""Options of `prepare`, and the checks of a command line before anything is read or written."""

from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli.config.model import Task
from videomae_cli.data.decode import FILE_DECODERS
from videomae_cli.data.ingest.probe import AUTO
from videomae_cli.data.layouts.segments.times import UNITS
from videomae_cli.data.manifest import CLASSES, DATASET, MANIFEST
from videomae_cli.errors import DataError, UsageError

VAL_FRACTION = 0.2


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


def check_options(source: Path, out: Path, options: PrepareOptions) -> None:
    """Check the options, and that `out` can become the prepared directory of `source`."""
    if options.val_fraction is not None and not 0 <= options.val_fraction < 1:
        raise UsageError(f"--val-fraction {options.val_fraction} is not in [0, 1)")
    choices: dict[str, tuple[str | None, tuple[str, ...]]] = {
        "task": (options.task, get_args(Task)),
        "unit of segments": (options.segment_unit or UNITS[0], UNITS),
        "decoder": (options.decoder, (AUTO, *FILE_DECODERS)),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise UsageError(f"no {name} {value!r}", f"one of: {', '.join(allowed)}")
    if (source / DATASET).exists():
        raise DataError(
            f"{source} is a prepared data set already",
            f"train on it: videomae pretrain --recipe small-data-vits --data {source}",
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

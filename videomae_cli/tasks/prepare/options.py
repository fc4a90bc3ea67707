"""Options of `prepare`, and the checks of a command line before anything is read or written."""

from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli.config.model import Task
from videomae_cli.data.decode import FILE_DECODERS
from videomae_cli.data.ingest.probe import AUTO
from videomae_cli.data.manifest import CLASSES, DATASET, MANIFEST
from videomae_cli.errors import DataError, UsageError

VAL_FRACTION = 0.2
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
    is_strict: bool = False
    """Whether a rejected video is an error."""
    follows_links: bool = False
    """Whether links of a list may lead out of its root; those of a folder always may."""
    max_bad: float | None = None
    """Largest share of rejected videos; None: any, or CHECK_MAX_BAD with `is_check`."""
    is_check: bool = False
    """Whether only the health report is written, and no manifest."""

    @property
    def bad_budget(self) -> float | None:
        """Return the largest share of rejected videos; None: any."""
        if self.is_check and self.is_strict:
            return 0.0
        return CHECK_MAX_BAD if self.is_check and self.max_bad is None else self.max_bad


def check_options(source: Path, out: Path, options: PrepareOptions) -> None:
    """Check the options, and that `out` can become the prepared directory of `source`."""
    _check_values(options)
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


def _check_values(options: PrepareOptions) -> None:
    if options.val_fraction is not None and not 0 <= options.val_fraction < 1:
        raise UsageError(f"--val-fraction {options.val_fraction} is not in [0, 1)")
    if options.max_bad is not None and not 0 <= options.max_bad <= 1:
        raise UsageError(f"--max-bad {options.max_bad} is not in [0, 1]", "for example 0.05")
    if options.task not in get_args(Task):
        raise UsageError(f"no task {options.task!r}", f"one of: {', '.join(get_args(Task))}")
    decoders = (AUTO, *FILE_DECODERS)
    if options.decoder not in decoders:
        raise UsageError(f"no decoder {options.decoder!r}", f"one of: {', '.join(decoders)}")

"""Options of `predict`, and the checks of a command line before anything is read."""

import math
from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.data.executors.share import Share
from videomae_cli.engine.runtime import Precision
from videomae_cli.errors import UsageError

SUFFIXES = (".jsonl", ".csv", ".png")


class PredictOptions(NamedTuple):
    """The options of `videomae predict`."""

    top_k: int = 5
    """How many classes are listed for each video or window."""
    protocol: str | None = None
    """A published test protocol; None: that of the checkpoint, or `clips` and `crops`."""
    clips: int | None = None
    crops: int | None = None
    window: float | None = None
    """Duration of a window in seconds; None: one result for each video."""
    hop: float | None = None
    """Seconds from one window to the next; None: `window`."""
    stream: str | None = None
    """A device or stream that is read instead of videos."""
    out: Path | None = None
    """A directory, or a file whose suffix is one of `SUFFIXES`."""
    precision: Precision | Literal["auto"] = "auto"
    allow_untrained_head: bool = False
    share: Share = Share()
    """The inputs of this job, of several jobs."""

    @property
    def hop_seconds(self) -> float:
        """Seconds from one window to the next."""
        return self.hop or self.window or 0.0


DEFAULTS = PredictOptions()


def check_options(inputs: tuple[str, ...], options: PredictOptions) -> None:
    """Raise a `UsageError` if options contradict each other or an output has an unknown suffix."""
    for name, seconds in (("--window", options.window), ("--hop", options.hop)):
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"{name} {seconds}: not a duration", "give seconds, such as 2")
    if options.hop is not None and options.window is None:
        raise UsageError("--hop has no meaning without windows", "add --window SECONDS")
    _check_stream(inputs, options)
    suffix = "" if options.out is None else options.out.suffix.lower()
    if suffix and suffix not in SUFFIXES:
        raise UsageError(
            f"--out {options.out}: unknown suffix {suffix}",
            f"one of {', '.join(SUFFIXES)}, or a directory for all of them",
        )
    if suffix == ".png" and options.window is None:
        raise UsageError(
            f"--out {options.out}: a picture shows the windows of a video over time",
            "add --window SECONDS, or write a .jsonl or .csv file",
        )
    if options.out is not None and suffix and options.out.is_dir():
        raise UsageError(f"--out {options.out} is a directory", "give the name of a file")
    if options.out is not None and not suffix and options.out.is_file():
        raise UsageError(
            f"--out {options.out} is a file without a suffix",
            f"give a directory, or a file with one of {', '.join(SUFFIXES)}",
        )


def _check_stream(inputs: tuple[str, ...], options: PredictOptions) -> None:
    """Raise a `UsageError` if options contradict `--stream`."""
    if options.stream is None:
        return
    if inputs:
        raise UsageError(
            "--stream reads one device or stream, and files were given too",
            "leave out the files, or --stream",
        )
    if options.share.jobs > 1:
        raise UsageError("--stream and --shard: a stream has no shards", "leave out --shard")
    if options.window is None:
        raise UsageError(
            "--stream gives one result for each window of time", "add --window SECONDS"
        )

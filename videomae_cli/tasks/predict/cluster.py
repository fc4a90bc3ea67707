"""`videomae predict` on a Dask cluster (`--scheduler`), which computes the shards of the command.

Each shard predicts consecutive inputs, so its files one after the other are those of one run, but
for the rows of inputs that cannot be read, which are at the end.
"""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli import atomic
from videomae_cli.data.executors.cluster_commands import drop_flags, explain_failure, run_shards
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.input_files import STDIN, find_input_files
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.output import add_share, plan_files, writing

# flags that are for this machine, and whether they have a value
OWN_FLAGS = {"--scheduler": True, "--json": False, "--checkpoint": True}


class ClusterResult(NamedTuple):
    """What all shards have written."""

    videos: int
    """Number of inputs with a result."""
    rejected: list[dict[str, str]]
    """`video` and `error` of the others."""
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "videos": self.videos,
            "rejected": self.rejected,
            "files": [str(file) for file in self.files],
        }

    def require_all(self) -> None:
        """Raise a DataError if an input has no result."""
        if self.rejected:
            first = self.rejected[0]
            raise DataError(
                f"no result for {len(self.rejected):,} of {self.videos + len(self.rejected):,}"
                f" inputs, first {first['video']}: {first['error']}",
                f"all are in {self.files[0]}; replace these files or leave them out",
            )


def run(
    words: Sequence[str],
    scheduler: str,
    inputs: Sequence[str],
    weights: Path,
    options: PredictOptions,
    report: Report,
) -> ClusterResult:
    """Predict on a cluster, and merge the files of all shards.

    Args:
        words: The command line, after `videomae`.
        scheduler: Address of the scheduler.
        inputs: Files, folders, patterns, or `-` for a list on stdin.
        weights: The checkpoint, which all workers can read.
        options: What the command line says.
        report: Shows the progress.

    Raises:
        DataError: A shard fails.
        TrainingError: A merged file cannot be written.
        UsageError: There is no such cluster, or other options contradict it.
        Stopped: Ctrl-C.
    """
    out = _check(options)
    stdin = sys.stdin.buffer.read() if STDIN in inputs else b""
    count = len(find_input_files(inputs, io.BytesIO(stdin)))
    words = [*drop_flags(words, OWN_FLAGS), "--checkpoint", str(weights)]
    ended = run_shards(words, scheduler, report, most=count, stdin=stdin)
    files = plan_files(out, (), has_windows=False)
    for share, finished in ended.items():
        if not all(add_share(path, share).is_file() for path in files.values()):
            raise explain_failure(share, finished)
    return _merge(files, sorted(ended), report)


def _check(options: PredictOptions) -> Path:
    """Return `out`; a UsageError if options contradict `--scheduler`."""
    if options.share.jobs > 1:
        raise UsageError("--shard and --scheduler are both given", "leave out one of them")
    if options.stream is not None:
        raise UsageError("--stream and --scheduler: a stream has no shards", "leave out one")
    if options.out is None or options.out.suffix == ".png":
        raise UsageError(
            "--scheduler needs a place for the results of all workers",
            "--out DIR, or a .jsonl or .csv file, that all machines see",
        )
    return options.out


def _merge(files: dict[str, Path], shares: Sequence[Share], report: Report) -> ClusterResult:
    """Merge the files of the shards, and remove them."""
    rejected: list[dict[str, str]] = []
    videos: set[str] = set()
    for kind, path in files.items():
        parts = [add_share(path, share) for share in shares]
        with writing(path), atomic.replacing(path) as partial, partial.open("wb") as file:
            if kind == "jsonl":
                errors: list[bytes] = []
                for line in _read_lines(parts):
                    row = json.loads(line)
                    if "error" in row:
                        rejected.append(row)
                        errors.append(line)
                    else:
                        videos.add(row["video"])
                        file.write(line)
                file.writelines(errors)
            else:
                for number, part in enumerate(parts):
                    header, _, rows = part.read_bytes().partition(b"\n")
                    file.write(header + b"\n" + rows if number == 0 else rows)
        report.say(f"wrote {path}")
    for path in files.values():
        for share in shares:
            add_share(path, share).unlink(missing_ok=True)
    return ClusterResult(len(videos), rejected, list(files.values()))


def _read_lines(parts: Sequence[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            yield from file

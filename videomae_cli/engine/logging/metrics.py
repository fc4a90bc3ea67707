"""The metrics of a run: the log `metrics.jsonl`, the averages between two of its lines, the best.

A line of the log is one JSON object. The log is the same whether a run was interrupted or not, so
it contains only values that follow from recipe, data and seed; throughput goes to `speed.jsonl`.
A value that is not finite is null in the log, because JSON has no NaN, and NaN when it is read.
"""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from videomae_cli import atomic
from videomae_cli.errors import TrainingError
from videomae_cli.report import format_json

MetricsCallback = Callable[[int, dict[str, float]], None]
"""Called with the step and the values of every line that is logged."""

RunningStats = dict[str, float]
"""Sums, maxima and number of steps since the last line; the key `window` of `state.json`."""

_AVERAGED = ("loss", "grad_norm")


class Metric(NamedTuple):
    """The value returned by a validation that decides which checkpoint is the best."""

    name: str
    higher_is_better: bool = True

    def is_at_least_as_good(self, value: float, best: float | None) -> bool:
        """Compare a value with the best so far; the later of two equal values wins.

        A best that is not a number, of a validation without any class, is always replaced.
        """
        if best is None or math.isnan(best):
            return True
        return value >= best if self.higher_is_better else value <= best


class MetricsLog:
    """Appends lines to a log; removes the later ones when a run is resumed.

    Only an `active` log, that of rank 0, is written. `callback` receives every written line.
    All methods raise a `TrainingError` if the file cannot be written.
    """

    def __init__(
        self, path: Path, *, active: bool = True, callback: MetricsCallback | None = None
    ) -> None:
        self.path = path
        self.active = active
        self.callback = callback
        self.lines = 0
        """Number of lines in the file, counted from `truncate` on."""

    def truncate(self, step: int, *, lines: int | None = None) -> None:
        """Remove all lines after `step`, all but the first `lines`, and an incomplete last line."""
        if not (self.active and self.path.is_file()):
            return
        complete = [
            line for line in self.path.read_text().splitlines(keepends=True) if _is_complete(line)
        ]
        kept = [line for line in complete if json.loads(line)["step"] <= step][:lines]
        with self._name_file_in_errors():
            atomic.remove_leftovers(self.path)
            atomic.write_text(self.path, "".join(kept))
        self.lines = len(kept)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append one line."""
        if self.active:
            with self._name_file_in_errors(), self.path.open("a") as file:
                file.write(format_json({"step": step, **values}, ensure_ascii=True) + "\n")
            self.lines += 1
            if self.callback is not None:
                self.callback(step, values)

    def sync(self) -> None:
        """Flush the lines to the disk."""
        if self.active and self.path.is_file():
            with self._name_file_in_errors():
                atomic.sync(self.path)

    @contextmanager
    def _name_file_in_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{self.path}: cannot be written: {error}",
                "free some space or make it writable, then --resume; checkpoints are unchanged",
            ) from error


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the lines of a log, except for a last line that is incomplete."""
    lines = path.read_text().splitlines(keepends=True)
    if lines and not _is_complete(lines[-1]):
        lines.pop()
    return [_read_line(line) for line in lines]


def add_step(stats: RunningStats, *, loss: float, grad_norm: float) -> None:
    """Add the loss and the gradient norm of one step to the running statistics."""
    for name, value in zip(_AVERAGED, (loss, grad_norm), strict=True):
        stats[name] = stats.get(name, 0.0) + value
        stats[f"{name}_max"] = max(stats.get(f"{name}_max", value), value)
    stats["steps"] = stats.get("steps", 0.0) + 1.0


def record_order(stats: RunningStats, indices: Sequence[int]) -> None:
    """Record a checksum of the samples of an epoch's first step, in their order.

    It differs from epoch to epoch unless shuffling is broken. One sample has no order to check.
    """
    if len(indices) > 1:
        stats["order"] = float(zlib.crc32(repr(list(indices)).encode()))


def pop_averages(stats: RunningStats) -> dict[str, float]:
    """Return means, maxima (`<name>_max`) and, if an epoch began, `order`; clear the statistics."""
    steps = stats.pop("steps", 0.0)  # 0 if all steps were skipped; then there are no sums
    values = {name: value / steps if name in _AVERAGED else value for name, value in stats.items()}
    stats.clear()
    return values


def _read_line(line: str) -> dict[str, float]:
    values: dict[str, float | None] = json.loads(line)
    return {name: math.nan if value is None else value for name, value in values.items()}


def _is_complete(line: str) -> bool:
    try:
        return line.endswith("\n") and "step" in json.loads(line)
    except ValueError:
        return False

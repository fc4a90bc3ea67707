"""`metrics.jsonl`: one JSON object per line, the same whether a run was interrupted or not.

Only what is determined by recipe, data and seed goes in. How fast the machine was goes to
`speed.jsonl`.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from videomae_cli.errors import TrainingError

Track = Callable[[int, dict[str, float]], None]
"""Told the step and what was logged."""


class MetricsLog:
    """Appends lines; forgets the later ones when a run is resumed.

    Args:
        path: The file.
        active: Write at all; false on ranks other than the main one.
        track: Told every line too, where it is written.
    """

    def __init__(self, path: Path, *, active: bool = True, track: Track | None = None) -> None:
        self.path = path
        self.active = active
        self.track = track
        self.lines = 0
        """Lines in the file, since `rewind`."""

    def rewind(self, step: int, *, lines: int | None = None) -> None:
        """Drop every line after `step`, all but the first `lines`, and a last one cut short."""
        if not (self.active and self.path.is_file()):
            return
        whole = [
            line for line in self.path.read_text().splitlines(keepends=True) if _is_whole(line)
        ]
        kept = [line for line in whole if _step(line) <= step][:lines]
        partial = self.path.with_name(self.path.name + ".partial")
        with self._refusals_named():
            with partial.open("w") as file:
                file.write("".join(kept))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        self.lines = len(kept)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append one line.

        Raises:
            TrainingError: The disk refused.
        """
        if self.active:
            with self._refusals_named(), self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            self.lines += 1
            if self.track is not None:
                self.track(step, values)

    def sync(self) -> None:
        """Force the lines to the disk.

        Raises:
            TrainingError: The disk refused.
        """
        if self.active and self.path.is_file():
            with self._refusals_named(), self.path.open("r+") as file:
                os.fsync(file.fileno())

    @contextmanager
    def _refusals_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{self.path}: cannot be written: {error}",
                "free some space or make it writable, then --resume; saves are untouched",
            ) from error


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the lines of a metrics file, without a last one that is not whole yet."""
    lines = path.read_text().splitlines(keepends=True)
    if lines and not _is_whole(lines[-1]):
        lines.pop()
    return [json.loads(line) for line in lines]


def _is_whole(line: str) -> bool:
    try:
        return line.endswith("\n") and "step" in json.loads(line)
    except ValueError:
        return False


def _step(line: str) -> float:
    return float(json.loads(line)["step"])

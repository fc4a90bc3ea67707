"""`metrics.jsonl`: one JSON object per line, the same whether a run was interrupted or not.

Only what is determined by recipe, data and seed goes in. How fast the machine was goes to
`speed.jsonl`.
"""

import json
from collections.abc import Callable
from pathlib import Path

Track = Callable[[int, dict[str, float]], None]
"""Told the step and what was logged."""


class MetricsLog:
    """Appends lines; forgets those after a given step when a run is resumed.

    Args:
        path: The file.
        active: Write at all; false on ranks other than the main one.
        track: Told every line too, where it is written.
    """

    def __init__(self, path: Path, *, active: bool = True, track: Track | None = None) -> None:
        self.path = path
        self.active = active
        self.track = track

    def rewind(self, step: int) -> None:
        """Drop every line after `step`, and a last line that was cut short."""
        if not (self.active and self.path.is_file()):
            return
        kept = [line for line in self.path.read_text().splitlines() if _step(line) <= step]
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text("".join(f"{line}\n" for line in kept))
        partial.replace(self.path)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append one line."""
        if self.active:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            if self.track is not None:
                self.track(step, values)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the lines of a metrics file, without a last one that is not whole yet."""
    lines = path.read_text().splitlines()
    if lines and _step(lines[-1]) == float("inf"):
        lines.pop()
    return [json.loads(line) for line in lines]


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")

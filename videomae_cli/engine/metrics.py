"""`metrics.jsonl`: one JSON object per line, the same whether a run was interrupted or not.

Only what is determined by recipe, data and seed goes in. How fast the machine was goes to
`speed.jsonl`.
"""

import json
from pathlib import Path


class MetricsLog:
    """Appends lines; forgets those after a given step when a run is resumed.

    Args:
        path: The file.
        active: Write at all; false on ranks other than the main one.
    """

    def __init__(self, path: Path, *, active: bool = True) -> None:
        self.path = path
        self.active = active

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


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the lines of a metrics file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")

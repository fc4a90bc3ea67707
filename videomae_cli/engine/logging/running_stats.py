"""What is gathered between two lines of `metrics.jsonl`.

It is part of every save, so a restart loses none of it: means over the steps, the worst step, and a
mark of the data order, which changes from epoch to epoch unless something is wrong.
"""

import zlib
from collections.abc import Sequence

Window = dict[str, float]
SUMS = ("loss", "grad_norm")


def add_step(window: Window, *, loss: float, grad_norm: float) -> None:
    """Count a step in."""
    for name, value in zip(SUMS, (loss, grad_norm), strict=True):
        window[name] = window.get(name, 0.0) + value
        window[f"{name}_max"] = max(window.get(f"{name}_max", value), value)
    window["steps"] = window.get("steps", 0.0) + 1.0


def record_order(window: Window, indices: Sequence[int]) -> None:
    """Note which videos opened an epoch, and in which order, as one number."""
    if len(indices) > 1:
        window["order"] = float(zlib.crc32(repr(list(indices)).encode()))


def take_averages(window: Window) -> dict[str, float]:
    """Return what a line says, and start over: means, `_max` of the worst step, `order` if any."""
    steps = window.pop("steps", 0.0)  # none, if all were skipped
    figures = {n: value / steps if n in SUMS else value for n, value in window.items()}
    window.clear()
    return figures

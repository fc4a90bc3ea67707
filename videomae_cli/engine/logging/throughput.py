"""How fast a run goes: clips per second, share of time spent waiting for data, peak memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from videomae_cli.engine.logging.metrics import MetricsLog


class Throughput:
    """A stopwatch over the steps since the last written line.

    Args:
        log: Where lines go.
        batch: Clips per step, over all processes.
        peak_bytes: Says the most memory used so far, if the system tells.
    """

    def __init__(
        self, log: MetricsLog, batch: int, peak_bytes: Callable[[], int | None] = lambda: None
    ) -> None:
        self.log = log
        self._batch = batch
        self._peak_bytes = peak_bytes
        self._busy = self._waited = 0.0
        self._steps = 0
        self._since = time.perf_counter()
        self._shown = ""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting for data."""
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start

    def step(self) -> None:
        """Count a step; time since the last one is training time."""
        now = time.perf_counter()
        self._busy += now - self._since
        self._since = now
        self._steps += 1

    def skip(self) -> None:
        """Leave out the time since the last step: it went to an evaluation or a save."""
        self._since = time.perf_counter()

    def write(self, step: int) -> None:
        """Write a line and start over."""
        if not self._steps or not self._busy:
            return
        clips, wait = self._steps * self._batch / self._busy, self._waited / self._busy
        figures = {"clips_per_s": float(f"{clips:.5g}"), "data_wait": round(wait, 4)}
        peak = self._peak_bytes()
        self.log.write(step, figures if peak is None else {**figures, "peak_gb": peak / 1e9})
        self._shown = f"{clips:.1f} clips/s · {wait:.0%} data wait"
        self._busy = self._waited = 0.0
        self._steps = 0

    def figures(self) -> str:
        """Return the last written figures, for people."""
        return self._shown

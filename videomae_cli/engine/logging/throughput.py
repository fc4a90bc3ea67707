"""How fast a run trains: clips per second, share of time spent waiting for data, peak memory."""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from videomae_cli.engine.logging.metrics import MetricsLog

DATA_BOUND = 0.1  # share of the time that a run waits for data; more is worth a hint
_PROCESS_STATUS = Path("/proc/self/status")


class Throughput:
    """Measures the time of steps of `batch` clips and of waiting for data, and logs both."""

    def __init__(self, log: MetricsLog, batch: int, device: torch.device) -> None:
        self.log = log
        self._batch = batch
        self._device = device
        self._training = self._waiting = 0.0
        self._steps = 0
        self._total = Counter[str]()
        self._last = time.perf_counter()
        self.figures = ""
        """The values of the last line, for people; empty before the first."""

    @contextmanager
    def measure_wait(self) -> Iterator[None]:
        """Count the time inside the block as waiting for data."""
        start = time.perf_counter()
        yield
        self._waiting += time.perf_counter() - start

    def count_step(self) -> None:
        """Count a step and the time since the last one."""
        now = time.perf_counter()
        self._training += now - self._last
        self._last = now
        self._steps += 1

    def restart_timer(self) -> None:
        """Leave out the time since the last step: it went to a validation or a checkpoint."""
        self._last = time.perf_counter()

    def write(self, step: int) -> None:
        """Log the averages since the last line, and start new ones."""
        if not self._steps or not self._training:
            return
        clips = self._steps * self._batch / self._training
        wait = self._waiting / self._training
        values = {"clips_per_s": float(f"{clips:.5g}"), "data_wait": round(wait, 4)}
        peak = peak_bytes(self._device)
        self.log.write(step, values if peak is None else {**values, "peak_gb": peak / 1e9})
        self.figures = f"{clips:.1f} clips/s · {wait:.0%} data wait"
        self._total.update(
            {"steps": self._steps, "training": self._training, "waiting": self._waiting}
        )
        self._training = self._waiting = 0.0
        self._steps = 0

    def write_probe(self, step: int, seconds: float) -> None:
        """Log how long a probe of the features took."""
        self.log.write(step, {"probe_seconds": round(seconds, 3)})

    def summary(self) -> str:
        """Return one line about all steps so far, for people; empty if there are none."""
        steps, seconds = self._total["steps"], self._total["training"]
        if not seconds:
            return ""
        wait = self._total["waiting"] / seconds
        line = (
            f"{steps * self._batch / seconds:.1f} clips/s, {wait:.1%} of the time waiting for data"
        )
        if wait > DATA_BOUND:
            line += "; decoding is the limit: use more train.workers, or transcode the videos"
        return line


def peak_bytes(device: torch.device) -> int | None:
    """Return the peak memory of this process in bytes; None if the system does not report it.

    On a GPU it is the memory allocated by torch on the device, elsewhere the resident memory of
    this process. Decoding processes are not counted.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _PROCESS_STATUS.is_file():
        # unlike ru_maxrss, VmHWM is not inherited from the process that started this one
        peak = re.search(r"^VmHWM:\s+(\d+) kB", _PROCESS_STATUS.read_text(), re.MULTILINE)
        return 1024 * int(peak[1]) if peak else None
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

"""The machine of a benchmark: processor, memory, versions, and how busy other programs keep it."""

import os
import platform
import re
import time
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

STAT, CPUINFO, MEMINFO = Path("/proc/stat"), Path("/proc/cpuinfo"), Path("/proc/meminfo")
INSTRUCTION_SETS = frozenset(
    ["avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "bf16", "sve", "i8mm"]
)
BUSY_SHARE = 0.1
"""Share of all cores that other programs may use; more, and a benchmark is refused."""
BUSY_LOAD = 0.5
"""The same for the load average per core, where the system does not tell CPU times."""
SAMPLE_SECONDS = 1.0


def describe_machine(device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Return processor, cores, threads, memory and instruction sets, and the GPU if one is used."""
    machine: dict[str, Any] = {
        "processor": _search(CPUINFO, r"^model name\s*: (.+)$")
        or platform.processor()
        or "unknown",
        "cores": count_cores(),
        "threads": threads,
        "memory_gb": _memory_gb(),
        "instruction_sets": sorted(INSTRUCTION_SETS & set(_text(CPUINFO).split())),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        import torch

        gpu = torch.cuda.get_device_properties(device)
        machine |= {"gpu": gpu.name, "gpu_memory_gb": round(gpu.total_memory / 1e9, 1)}
    return machine


def installed_versions(*packages: str) -> dict[str, str | None]:
    """Return the versions of Python, videomae and other packages; None: not installed."""
    from videomae_cli import __version__

    found: dict[str, str | None] = {"python": platform.python_version(), "videomae": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class CPUTimes(NamedTuple):
    """Seconds of all cores since the system started, and of this process and its children."""

    busy: float
    """Seconds in which a core ran something or was taken away by another virtual machine."""
    total: float
    own: float
    """Of this process and of children that have ended."""


def read_cpu_times() -> CPUTimes | None:
    """Return the CPU times of now; None if the system does not tell."""
    found = re.match(r"cpu +([\d ]+)", _text(STAT))
    if not found:
        return None
    # user, nice, system, idle, iowait, irq, softirq, steal; times of guests are in the first two
    ticks = [int(value) / os.sysconf("SC_CLK_TCK") for value in found[1].split()[:8]]
    return CPUTimes(sum(ticks) - sum(ticks[3:5]), sum(ticks), sum(os.times()[:4]))


def other_share(start: CPUTimes | None, end: CPUTimes | None) -> float | None:
    """Return the share of all cores that other programs used between two times, 0 to 1."""
    if start is None or end is None or end.total <= start.total:
        return None
    busy = (end.busy - start.busy) - (end.own - start.own)
    return min(1.0, max(0.0, busy / (end.total - start.total)))


def busy_reason(share: float | None, load: float | None, cores: int) -> str:
    """Return why a machine is too busy to measure on; empty if it is quiet.

    The CPU use of other programs decides. The load average is used only where that is not known:
    it still counts what ended a minute ago, such as the last benchmark.

    Args:
        share: Share of all cores that other programs use.
        load: Load average of the last minute.
        cores: Number of cores.
    """
    if share is not None:
        if share <= BUSY_SHARE:
            return ""
        return f"other programs use {share:.0%} of its {cores} cores (at most {BUSY_SHARE:.0%})"
    if load is not None and load > BUSY_LOAD * cores:
        return f"its load average is {load:.1f} on {cores} cores (at most {BUSY_LOAD * cores:.1f})"
    return ""


class LoadWatch:
    """Measures how busy other programs are: for a second before a benchmark, and during it."""

    def __init__(self, seconds: float = SAMPLE_SECONDS) -> None:
        start = read_cpu_times()
        time.sleep(seconds)
        self._start = read_cpu_times()
        self.share_before = other_share(start, self._start)
        self.average_before = _load_average()

    def busy_reason(self) -> str:
        """Return why the machine is too busy; empty if it is quiet."""
        load = self.average_before[0] if self.average_before else None
        return busy_reason(self.share_before, load, count_cores())

    def as_json(self) -> dict[str, Any]:
        """Return load averages (1, 5, 15 minutes) and shares of all cores used by others."""
        return {
            "average_before": self.average_before,
            "average_after": _load_average(),
            "other_cpu_before": _rounded(self.share_before),
            "other_cpu_during": _rounded(other_share(self._start, read_cpu_times())),
        }


def now() -> str:
    """Return date and time, UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _load_average() -> list[float] | None:
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _memory_gb() -> float | None:
    kilobytes = _search(MEMINFO, r"^MemTotal:\s+(\d+) kB")
    return round(int(kilobytes) * 1024 / 1e9, 1) if kilobytes else None


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _search(path: Path, pattern: str) -> str:
    found = re.search(pattern, _text(path), re.MULTILINE)
    return found[1].strip() if found else ""


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""

"""The peak memory of optimizer steps, precisely: for a process that does nothing else."""

import ctypes
import gc
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from measuring.training_steps import Step
from videomae_cli.engine.runtime import keep_freed_memory

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # written to clear_refs, it makes VmHWM what is held now
STEPS = 3


class Growth(NamedTuple):
    """Memory of a process that takes steps, MiB."""

    growth: float
    """In the first steps, with gradients and optimizer state."""
    growth_of_step: float
    """In later steps, beside the optimizer state."""
    peak: float
    """The most in the first steps, with everything that was there before."""


def measure_growth(
    make: Callable[[], Step], device: str, keeps_freed: bool, threads: int | None
) -> Growth:
    """Return the memory of steps; for a process of its own."""
    if threads:
        torch.set_num_threads(threads)
    if keeps_freed:
        keep_freed_memory()
    step = make()
    growth, peaks = [], []
    for _ in range(2):
        return_freed_memory()
        before = reset_peak(device)
        for _ in range(STEPS):
            step()
        peaks.append(peak_memory(device) / 2**20)
        growth.append(peaks[-1] - before / 2**20)
    return Growth(growth[0], growth[1], peaks[0])


def return_freed_memory() -> None:
    """Free what is no longer used, and return it to the system where glibc can."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def reset_peak(device: str) -> int:
    """Forget the peak; return the bytes that are held now."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if not CLEAR_REFS.exists():
        raise SystemExit(f"the peak of memory is reset through {CLEAR_REFS}, which only Linux has")
    CLEAR_REFS.write_text(RESET_PEAK)
    return _read_status("VmRSS")


def peak_memory(device: str) -> int:
    """Return the most bytes held since the last reset."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    return _read_status("VmHWM")


def _read_status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert found, f"{STATUS} has no {field}"
    return 1024 * int(found[1])

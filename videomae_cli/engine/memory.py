"""How much memory this process has needed at most."""

import re
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


def peak_bytes(device: torch.device) -> int | None:
    """Return the most memory in use so far, in bytes; None where the system does not say.

    On a GPU that is what torch had allocated there, else the process's resident memory since it
    started, without the processes that decode.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.is_file():
        # not ru_maxrss, which a process inherits from the one that started it
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
        return int(found[1]) * 1024 if found else None
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

"""How much memory this process has needed at most, and how much more it could take."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def peak_bytes(device: torch.device) -> int | None:
    """Return the most memory in use so far, in bytes; None where the system does not say.

    On a GPU that is what torch had allocated there, else the process's resident memory, without the
    processes that decode; since the process started, or since `forget_peak`.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if (PROC / "self/status").is_file():
        # not ru_maxrss, which a process inherits from the one that started it
        return _kilobytes(PROC / "self/status", "VmHWM")
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak(device: torch.device) -> bool:
    """Let the peak begin anew at what is in use now; tell whether the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        (PROC / "self/clear_refs").write_text("5")  # proc(5): resets VmHWM, and nothing else
    except OSError:
        return False
    return True


def held_bytes(device: torch.device) -> int | None:
    """Return the memory in use now, counted as the peak is; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _kilobytes(PROC / "self/status", "VmRSS")


def free_bytes(device: torch.device, *, proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """Return the memory that could still be taken, in bytes; None where the system does not say.

    On a CPU that is what the kernel calls available, or less where a control group (of a container
    or a cluster's job) allows less. Processes that share a device share it.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    available = _kilobytes(proc / "meminfo", "MemAvailable") if device.type == "cpu" else None
    return None if available is None else min([available, *_room(proc / "self/cgroup", groups)])


def _room(membership: Path, groups: Path) -> Iterator[int]:
    """Yield what each control group around this process leaves, in version 1 or 2 of their files.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
    """
    for line in membership.read_text().splitlines() if membership.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, names = groups, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = groups / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = base / path.strip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(base) and (group / names[0]).is_file():
                limit, used = ((group / name).read_text().strip() for name in names[:2])
                cache = _number(group / "memory.stat", rf"^{names[2]} (\d+)$") or 0
                if limit != "max":
                    yield max(0, int(limit) - int(used) + cache)


def _kilobytes(path: Path, name: str) -> int | None:
    found = _number(path, rf"^{name}:\s+(\d+) kB")
    return None if found is None else 1024 * found


def _number(path: Path, pattern: str) -> int | None:
    found = re.search(pattern, path.read_text(), re.MULTILINE) if path.is_file() else None
    return int(found[1]) if found else None

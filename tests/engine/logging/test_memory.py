"""What the kernel and its control groups say of memory, read from files made here."""

from pathlib import Path

import pytest
import torch

from videomae_cli.engine.logging.memory import free_bytes

CPU = torch.device("cpu")
GB = 10**9


def machine(folder: Path, membership: str, groups: dict[str, str]) -> int | None:
    """Return what is free where 8 GB are available and these groups have these files."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/meminfo").write_text(
        f"MemTotal: 16000000 kB\nMemAvailable:   {8 * GB // 1024} kB\nBuffers: 1 kB\n"
    )
    (folder / "proc/self/cgroup").write_text(membership)
    for name, text in groups.items():
        (folder / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "groups" / name).write_text(text + "\n")
    return free_bytes(CPU, proc=folder / "proc", groups=folder / "groups")


@pytest.mark.parametrize(
    ("membership", "groups", "free"),
    [
        ("0::/\n", {}, 8 * GB),
        ("0::/\n", {"memory.max": "max", "memory.current": "5"}, 8 * GB),
        ("0::/\n", {"memory.max": str(4 * GB), "memory.current": str(GB)}, 3 * GB),
        (  # the cache of files makes room when it is needed
            "0::/job\n",
            {
                "job/memory.max": str(4 * GB),
                "job/memory.current": str(3 * GB),
                "job/memory.stat": f"anon 7\ninactive_file {GB}\nslab 1",
            },
            2 * GB,
        ),
        (  # the tightest of the groups around us
            "0::/slice/job\n",
            {
                "slice/memory.max": str(2 * GB),
                "slice/memory.current": str(GB),
                "slice/job/memory.max": "max",
                "slice/job/memory.current": str(GB),
            },
            GB,
        ),
        (
            "4:cpu,cpuacct:/a\n3:memory:/a\n",
            {
                "memory/a/memory.limit_in_bytes": str(3 * GB),
                "memory/a/memory.usage_in_bytes": str(2 * GB),
                "memory/a/memory.stat": f"inactive_file 5\ntotal_inactive_file {GB}",
            },
            2 * GB,
        ),
        (  # no limit, in version 1
            "3:memory:/elsewhere\n",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": "5",
            },
            8 * GB,
        ),
    ],
)
def test_free_memory_is_what_kernel_and_groups_leave(
    tmp_path: Path, membership: str, groups: dict[str, str], free: int
) -> None:
    assert machine(tmp_path, membership, groups) == pytest.approx(free, abs=1024)


def test_a_system_that_does_not_say_is_not_guessed_at(tmp_path: Path) -> None:
    assert free_bytes(CPU, proc=tmp_path) is None
    assert free_bytes(torch.device("mps")) is None

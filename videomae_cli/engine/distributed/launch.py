"""Start one process per device, unless a launcher has already started this process.

`--devices 4` starts the same command four times with torch's rank variables set, forwards signals
to the ranks, and returns their exit code. Under torchrun or accelerate launch the variables are
already set, under Slurm by `slurm.py`; then this process is one of the ranks.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Callable

import torch

from videomae_cli.engine.distributed import slurm
from videomae_cli.engine.distributed.signals import STOP_SIGNALS
from videomae_cli.errors import UsageError

GRACE_SECONDS = 30.0  # for ranks to end by themselves after another has failed
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def process_count(devices: int | None) -> int:
    """Return how many processes to start; a `UsageError` if there are fewer devices."""
    gpus = torch.cuda.device_count()
    available = gpus or os.cpu_count() or 1
    if devices is None:
        return max(1, gpus)
    if devices > available:
        kind = "GPUs" if gpus else "CPU cores"
        raise UsageError(
            f"--devices {devices}: this machine has {available} {kind}",
            f"use --devices {available}, or less",
        )
    return devices


def relaunch(devices: int | None) -> int | None:
    """Run this command once per device (None: per GPU) and wait; return the exit code.

    Returns None if this process is to run the command itself.

    Raises:
        UsageError: There are fewer devices, or a launcher has started another number of processes.
    """
    if "LOCAL_RANK" in os.environ or "ACCELERATE_MIXED_PRECISION" in os.environ:
        _set_up_rank(devices)
        return None
    count = process_count(devices)
    if count == 1:
        return None
    port = _free_port()
    ranks: list[subprocess.Popen[bytes]] = []

    def forward(number: int, frame: types.FrameType | None) -> None:
        for rank in ranks:
            if rank.poll() is None:
                rank.send_signal(number)

    former = {number: signal.signal(number, forward) for number in STOP_SIGNALS}
    try:
        ranks += (_start(rank, count, port) for rank in range(count))
        return _wait(ranks)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _set_up_rank(devices: int | None) -> None:
    """Set the variables that `_start` would have set for this process of another launcher."""
    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if devices not in (None, count):
        raise UsageError(
            f"--devices {devices}: a launcher has started {count} processes on this machine",
            "omit --devices: the launcher of this command sets the number of processes",
        )
    if torch.cuda.is_available() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    # without it Accelerate starts no process group
    os.environ.setdefault("ACCELERATE_USE_CPU", "true")
    if "OMP_NUM_THREADS" not in os.environ:
        threads = slurm.cores_per_task() or max(1, (os.cpu_count() or 1) // count)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        torch.set_num_threads(threads)  # torch has already read the variable


def _start(rank: int, count: int, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    if not torch.cuda.is_available():
        environment["ACCELERATE_USE_CPU"] = "true"
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    # in a session of its own, so that Ctrl-C reaches it only once, through this process
    return subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *sys.argv[1:]],
        env=environment,
        start_new_session=True,
        preexec_fn=_stop_with_parent(os.getpid()) if sys.platform == "linux" else None,
    )


def _stop_with_parent(parent: int) -> Callable[[], None]:
    """Return a function for a new process: the kernel sends it SIGTERM when its parent dies."""
    libc = ctypes.CDLL(None)

    def request_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)

    return request_signal


def _wait(ranks: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all ranks; kill those that are left `GRACE_SECONDS` after one has failed."""
    deadline = float("inf")
    while any(rank.poll() is None for rank in ranks):
        failed = [rank for rank in ranks if rank.returncode]
        if failed and deadline == float("inf"):
            deadline = time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            for rank in ranks:
                rank.kill()
        time.sleep(0.1)
    codes = [rank.returncode for rank in ranks]
    return max((abs(code) if code > 0 else 128 - code for code in codes if code), default=0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Start one process per device when asked to, unless a launcher has done so already.

`--devices 4` starts this very command four times with torch's rank variables set, passes signals
on, and leaves with the ranks' exit code. Under torchrun or accelerate launch the variables are
there already, under Slurm `slurm.py` has set them, and we carry on as one of the processes.
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
from videomae_cli.engine.distributed.signals import NUMBERS
from videomae_cli.errors import UsageError

PATIENCE_SECONDS = 30.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def process_count(devices: int | None) -> int:
    """Return how many processes `--devices` asks for; without it every GPU, else one on the CPU.

    Raises:
        UsageError: There are fewer devices.
    """
    gpus = torch.cuda.device_count()
    at_hand = gpus or os.cpu_count() or 1
    if devices is None:
        return max(1, gpus)
    if devices > at_hand:
        kind = "GPUs" if gpus else "CPU cores"
        raise UsageError(f"--devices {devices}: {at_hand} {kind} at hand", "ask for fewer")
    return devices


def is_launched() -> bool:
    """Tell whether a launcher is around us already."""
    return "LOCAL_RANK" in os.environ or "ACCELERATE_MIXED_PRECISION" in os.environ


def relaunch(devices: int | None) -> int | None:
    """Run this command once per device; return the exit code, None if there is nothing to do.

    Raises:
        UsageError: There are fewer devices, or a launcher has started another number of processes.
    """
    if is_launched():
        _take_part(devices)
        return None
    count = process_count(devices)
    if count == 1:
        return None
    port = _free_port()
    ranks: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: types.FrameType | None) -> None:
        _send(ranks, number)

    former = {number: signal.signal(number, pass_on) for number in NUMBERS}
    try:
        ranks += (_start(rank, count, port) for rank in range(count))
        return _wait(ranks)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _take_part(devices: int | None) -> None:
    """See to it, as one of a launcher's processes, that we run as if `_start` had started us."""
    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if devices not in (None, count):
        raise UsageError(
            f"--devices {devices}: a launcher has started {count} on this machine already",
            "leave --devices away: the launcher around this command says how many",
        )
    if torch.cuda.is_available() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    os.environ.setdefault("ACCELERATE_USE_CPU", "true")  # else they would not join
    if "OMP_NUM_THREADS" not in os.environ:
        threads = slurm.cores_per_task() or max(1, (os.cpu_count() or 1) // count)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        torch.set_num_threads(threads)  # torch has looked for the variable before


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
    # a session of its own: Ctrl-C reaches a rank once, through us, and not a second time by itself
    return subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *sys.argv[1:]],
        env=environment,
        start_new_session=True,
        preexec_fn=_stop_with(os.getpid()) if sys.platform == "linux" else None,
    )


def _stop_with(launcher: int) -> Callable[[], None]:
    """Return what makes a new process get SIGTERM, and so save and leave, when we die (Linux)."""
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != launcher:
            os._exit(128 + signal.SIGTERM)

    return ask_kernel


def _wait(ranks: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all ranks; once one has failed, give the others a while to leave by themselves."""
    deadline = float("inf")
    while any(rank.poll() is None for rank in ranks):
        failed = [rank for rank in ranks if rank.returncode]
        if failed and deadline == float("inf"):
            deadline = time.monotonic() + PATIENCE_SECONDS
        if time.monotonic() > deadline:
            for rank in ranks:
                rank.kill()
        time.sleep(0.1)
    codes = [rank.returncode for rank in ranks]
    return max((abs(code) if code > 0 else 128 - code for code in codes if code), default=0)


def _send(ranks: list[subprocess.Popen[bytes]], number: int) -> None:
    for rank in ranks:
        if rank.poll() is None:
            rank.send_signal(number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

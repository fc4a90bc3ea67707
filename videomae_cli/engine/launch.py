"""Start one process per device when asked to, unless a launcher has done so already.

`--devices 4` on one machine starts `torch.distributed.run` (what `torchrun` and `accelerate launch`
call) on this very command. Under any launcher (torchrun, accelerate launch, Slurm through either)
the rank variables are set, and we carry on as one of its processes.
"""

import os
import subprocess
import sys

import torch

from videomae_cli.errors import UsageError


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
    """Run this command once per device; return the exit code, None if there is nothing to do."""
    if is_launched():
        return None
    count = process_count(devices)
    if count == 1:
        return None
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={count}", "-m", "videomae_cli", *sys.argv[1:]]
    environment = dict(os.environ)
    if not torch.cuda.is_available():
        environment["ACCELERATE_USE_CPU"] = "true"
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    return subprocess.call(command, env=environment)

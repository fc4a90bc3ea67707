"""Join the tasks of a Slurm step into one run: set torch's rank variables from Slurm's.

Only a step of several tasks, started by `srun`, becomes a run of several processes. On several
nodes MASTER_ADDR comes from the batch script. Heterogeneous jobs are not supported.
Source: srun(1), OUTPUT ENVIRONMENT VARIABLES.
"""

import os
import re
from collections.abc import Mapping

from videomae_cli.errors import UsageError

# below the ports that Linux gives to outgoing connections; neighbouring jobs are far apart
_FIRST_PORT, _PORTS, _PORTS_PER_JOB = 12_000, 20_000, 61
_TASKS = r"(\d+)(?:\(x(\d+)\))?"
MASTER_ADDR_LINE = 'export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
_HINT = (
    "start the tasks with srun, and pass all SLURM_* variables on to containers;"
    " or start the processes with torchrun"
)


def join_step() -> None:
    """Make this task a rank of the run that its step is: set the variables that torch reads.

    Does nothing outside a step of several tasks, or under another launcher. MASTER_ADDR and
    MASTER_PORT are kept if they are set. Raises a `UsageError` if variables contradict each other.
    """
    if "LOCAL_RANK" in os.environ or "SLURM_STEP_NUM_TASKS" not in os.environ:
        return
    if _number(os.environ, "SLURM_STEP_NUM_TASKS") < 2:
        return
    import torch  # here, so that other command lines do not wait for it

    for name, value in rank_variables(os.environ, gpus=torch.cuda.device_count()).items():
        current = os.environ.setdefault(name, value)
        if current != value and not name.startswith("MASTER_"):
            raise UsageError(
                f"{name}={current} is set, but Slurm's variables give {value}", f"unset {name}"
            )


def rank_variables(environment: Mapping[str, str], *, gpus: int) -> dict[str, str]:
    """Return the rank variables of one task; a `UsageError` if its variables contradict each other.

    Accelerate uses LOCAL_RANK as the number of the GPU. A task with GPUs of its own sees no others
    and numbers them from 0, so its number on the node is taken modulo the GPUs that it sees.
    """
    world = _number(environment, "SLURM_STEP_NUM_TASKS")
    rank = _number(environment, "SLURM_PROCID")
    node, local_rank = _number(environment, "SLURM_NODEID"), _number(environment, "SLURM_LOCALID")
    tasks = _text(environment, "SLURM_STEP_TASKS_PER_NODE")
    counts = expand_task_counts(tasks)
    is_valid = sum(counts) == world and rank < world and node < len(counts)
    if not (is_valid and local_rank < counts[node]):
        raise UsageError(
            f"Slurm's variables contradict each other: task {rank} of {world}, number {local_rank}"
            f" on node {node} of SLURM_STEP_TASKS_PER_NODE={tasks}",
            _HINT,
        )
    job, step = _number(environment, "SLURM_JOB_ID"), _number(environment, "SLURM_STEP_ID")
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(local_rank % gpus if gpus else local_rank),
        "LOCAL_WORLD_SIZE": str(counts[node]),
        "MASTER_ADDR": _master_address(environment, nodes=len(counts)),
        "MASTER_PORT": str(_FIRST_PORT + (_PORTS_PER_JOB * job + step) % _PORTS),
    }


def cores_per_task() -> int | None:
    """Return the CPU cores per task that `--cpus-per-task` requested; None without the option."""
    name = "SLURM_CPUS_PER_TASK"
    return _number(os.environ, name) if name in os.environ else None


def expand_task_counts(text: str) -> list[int]:
    """Return the tasks on each node, `8(x2),4` gives 8, 8, 4; a `UsageError` for another format."""
    if not re.fullmatch(rf"{_TASKS}(?:,{_TASKS})*", text):
        raise UsageError(f"SLURM_STEP_TASKS_PER_NODE={text}: not a list of task counts", _HINT)
    return [int(n) for n, times in re.findall(_TASKS, text) for _ in range(int(times or 1))]


def _master_address(environment: Mapping[str, str], *, nodes: int) -> str:
    """Return the address of rank 0."""
    if "MASTER_ADDR" in environment:
        return environment["MASTER_ADDR"]
    if nodes == 1:
        return "127.0.0.1"
    raise UsageError(
        f"MASTER_ADDR is not set, but this Slurm step has tasks on {nodes} nodes",
        f"add this line to the batch script, before srun:\n  {MASTER_ADDR_LINE}",
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    if name not in environment:
        raise UsageError(f"this is a step of several Slurm tasks, but {name} is not set", _HINT)
    return environment[name]


def _number(environment: Mapping[str, str], name: str) -> int:
    text = _text(environment, name)
    if not text.isdecimal():
        raise UsageError(f"{name}={text}: not a number", _HINT)
    return int(text)

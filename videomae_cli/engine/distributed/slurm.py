"""Join the tasks that `srun` started: torch's rank variables, out of Slurm's.

A run of several processes is a step of several tasks, and nothing else is: Slurm tells a step's
size to what `srun` starts, not to a batch script, and `srun --pty bash` is one task. There
`--devices` starts processes, as everywhere. If another launcher has set the variables, they stay.

Not covered: heterogeneous jobs, and names of nodes other than letters, digits and [1-3,007].
"""

import os
import re
from collections.abc import Mapping
from itertools import product

from videomae_cli.errors import UsageError

# below the ports that Linux gives to outgoing connections; jobs lie a prime number of ports apart
FIRST_PORT, PORTS, JOBS_APART = 12_000, 20_000, 61
_NUMBERS = r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*"
_NODES = rf"(?:[\w.-]|\[{_NUMBERS}\])+"
_TASKS = r"(\d+)(?:\(x(\d+)\))?"
_HINT = (
    "start the tasks with srun, and in a container hand all SLURM_* variables on;"
    " or start the processes with torchrun"
)


def join_step() -> None:
    """Make this task a rank of its step's run: set what torch and Accelerate look for.

    Does nothing outside a step of several tasks, or where a launcher has been at work. A
    MASTER_ADDR or MASTER_PORT of your own is kept.

    Raises:
        UsageError: Slurm's variables are missing, malformed or contradict each other, or a rank
            variable of somebody else's contradicts them.
    """
    if "LOCAL_RANK" in os.environ or "SLURM_STEP_NUM_TASKS" not in os.environ:
        return
    if _number(os.environ, "SLURM_STEP_NUM_TASKS") < 2:
        return
    import torch  # only here: no other command line waits for it

    for name, value in rank_variables(os.environ, gpus=torch.cuda.device_count()).items():
        given = os.environ.setdefault(name, value)
        if given != value and not name.startswith("MASTER_"):
            raise UsageError(
                f"{name}={given} is set, but by Slurm's variables it is {value}", f"unset {name}"
            )


def rank_variables(slurm: Mapping[str, str], *, gpus: int) -> dict[str, str]:
    """Return the rank variables of one task.

    Accelerate takes LOCAL_RANK for the number of the GPU. A task that was given GPUs of its own
    sees no others and counts them from 0, so its number on the node is taken modulo what it sees.

    Args:
        slurm: The task's environment.
        gpus: How many the task sees.

    Raises:
        UsageError: Variables are missing, malformed or contradict each other.
    """
    world, rank = _number(slurm, "SLURM_STEP_NUM_TASKS"), _number(slurm, "SLURM_PROCID")
    node, local_rank = _number(slurm, "SLURM_NODEID"), _number(slurm, "SLURM_LOCALID")
    nodes, tasks = _text(slurm, "SLURM_STEP_NODELIST"), _text(slurm, "SLURM_STEP_TASKS_PER_NODE")
    hosts, counts = expand_nodes(nodes), expand_tasks(tasks)
    is_whole = len(hosts) == len(counts) and sum(counts) == world
    if not (is_whole and rank < world and node < len(hosts) and local_rank < counts[node]):
        raise UsageError(
            f"Slurm's variables contradict each other: task {rank} of {world}, number {local_rank}"
            f" on node {node} of SLURM_STEP_NODELIST={nodes}, SLURM_STEP_TASKS_PER_NODE={tasks}",
            _HINT,
        )
    place = JOBS_APART * _number(slurm, "SLURM_JOB_ID") + _number(slurm, "SLURM_STEP_ID")
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(local_rank % gpus if gpus else local_rank),
        "LOCAL_WORLD_SIZE": str(counts[node]),
        "MASTER_ADDR": hosts[0],
        "MASTER_PORT": str(FIRST_PORT + place % PORTS),
    }


def cores_per_task() -> int | None:
    """Return the CPU cores that `--cpus-per-task` gave to each task; None if it was not given.

    Raises:
        UsageError: Slurm's variable is no number.
    """
    name = "SLURM_CPUS_PER_TASK"
    return _number(os.environ, name) if name in os.environ else None


def expand_nodes(text: str) -> list[str]:
    """Return the nodes of a list in Slurm's way of writing: `gpu[03-04,9],login` -> four names.

    Raises:
        UsageError: It is written otherwise.
    """
    if not re.fullmatch(rf"{_NODES}(?:,{_NODES})*", text):
        raise UsageError(f"SLURM_STEP_NODELIST={text}: no list of nodes", _HINT)
    names = []
    for nodes in re.findall(_NODES, text):
        parts = re.split(r"[\[\]]", nodes)  # outside, inside, outside, ...
        choices = [_span(part) if i % 2 else [part] for i, part in enumerate(parts)]
        names += ["".join(chosen) for chosen in product(*choices)]
    return names


def expand_tasks(text: str) -> list[int]:
    """Return the number of tasks on each node: `8(x2),4` -> 8, 8, 4.

    Raises:
        UsageError: It is written otherwise.
    """
    if not re.fullmatch(rf"{_TASKS}(?:,{_TASKS})*", text):
        raise UsageError(f"SLURM_STEP_TASKS_PER_NODE={text}: no list of counts", _HINT)
    return [int(n) for n, times in re.findall(_TASKS, text) for _ in range(int(times or 1))]


def _span(text: str) -> list[str]:
    """Return the numbers of `003-005,9`, padded as they were written."""
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += [f"{n:0{len(first)}}" for n in range(int(first), int(last or first) + 1)]
    return numbers


def _text(slurm: Mapping[str, str], name: str) -> str:
    if name not in slurm:
        raise UsageError(f"this is a step of several Slurm tasks, but {name} is not set", _HINT)
    return slurm[name]


def _number(slurm: Mapping[str, str], name: str) -> int:
    text = _text(slurm, name)
    if not text.isdecimal():
        raise UsageError(f"{name}={text}: no number", _HINT)
    return int(text)

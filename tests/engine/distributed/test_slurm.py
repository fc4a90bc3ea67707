import os

import pytest
import torch

from videomae_cli.cli.app import run
from videomae_cli.engine.distributed.launch import relaunch
from videomae_cli.engine.distributed.slurm import expand_task_counts, join_step, rank_variables
from videomae_cli.errors import UsageError

# the variables of task 9 of 12, which is number 1 on the second of two nodes
TASK = {
    "MASTER_ADDR": "gpu07",
    "SLURM_JOB_ID": "4242",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "12",
    "SLURM_STEP_TASKS_PER_NODE": "8,4",
    "SLURM_PROCID": "9",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "1",
}
ONE_NODE = {
    "SLURM_JOB_ID": "4242",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2",
    "SLURM_PROCID": "1",
    "SLURM_NODEID": "0",
    "SLURM_LOCALID": "1",
}
RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give this process the variables of the task, on a node without GPUs, under no launcher."""
    others = [name for name in os.environ if name.startswith(("SLURM_", "ACCELERATE_"))]
    for name in [*RANKS, "OMP_NUM_THREADS", "ACCELERATE_USE_CPU", *others]:
        monkeypatch.setenv(name, "")  # so that it is restored or removed at the end
        monkeypatch.delenv(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_task_counts_are_expanded() -> None:
    assert expand_task_counts("8") == [8]
    assert expand_task_counts("2(x3),1") == [2, 2, 2, 1]
    with pytest.raises(UsageError, match=r"SLURM_STEP_TASKS_PER_NODE=2\(y3\)"):
        expand_task_counts("2(y3)")


def test_a_task_gets_the_rank_variables_of_torch() -> None:
    assert rank_variables(TASK, gpus=0) == {
        "RANK": "9",
        "WORLD_SIZE": "12",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "4",
        "MASTER_ADDR": "gpu07",
        "MASTER_PORT": str(12_000 + 61 * 4242 % 20_000),
    }


def test_a_step_on_several_nodes_needs_the_address_from_the_batch_script() -> None:
    without = {name: value for name, value in TASK.items() if name != "MASTER_ADDR"}

    with pytest.raises(UsageError, match=r"MASTER_ADDR is not set.* tasks on 2 nodes") as refused:
        rank_variables(without, gpus=0)

    line = 'export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
    assert line in refused.value.hint


def test_a_step_on_one_node_needs_no_address() -> None:
    assert rank_variables(ONE_NODE, gpus=0)["MASTER_ADDR"] == "127.0.0.1"
    named = rank_variables({**ONE_NODE, "MASTER_ADDR": "gpu07"}, gpus=0)
    assert named["MASTER_ADDR"] == "gpu07"


@pytest.mark.parametrize(("gpus", "local_rank"), [(4, "1"), (1, "0"), (0, "1")])
def test_the_local_rank_is_the_number_of_a_gpu_that_the_task_sees(
    gpus: int, local_rank: str
) -> None:
    assert rank_variables(TASK, gpus=gpus)["LOCAL_RANK"] == local_rank


def test_neighbouring_jobs_and_steps_use_different_ports() -> None:
    ports = [
        rank_variables({**TASK, "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}, gpus=0)
        for job in range(9_999_950, 10_000_050)
        for step in range(20)
    ]

    numbers = {int(variables["MASTER_PORT"]) for variables in ports}
    assert len(numbers) == 2_000
    assert min(numbers) >= 12_000 and max(numbers) < 32_000


def error_of(environment: dict[str, str]) -> UsageError:
    """Return the error of the rank variables of a task; an empty one if there is none."""
    try:
        rank_variables(environment, gpus=0)
    except UsageError as error:
        return error
    return UsageError("")


def test_a_missing_or_malformed_variable_is_named() -> None:
    names = [name for name in TASK if name != "MASTER_ADDR"]
    missing = {n: error_of({key: v for key, v in TASK.items() if key != n}) for n in names}
    malformed = {name: error_of({**TASK, name: "-2:"}) for name in names}

    assert [n for n, e in missing.items() if f"{n} is not set" not in e.message] == []
    assert [n for n, e in missing.items() if "torchrun" not in e.hint] == []
    assert [n for n, e in malformed.items() if f"{n}=-2:: not a" not in e.message] == []


def test_variables_that_contradict_each_other_are_refused() -> None:
    changes = [
        {"SLURM_PROCID": "12"},
        {"SLURM_NODEID": "2"},
        {"SLURM_LOCALID": "4"},
        {"SLURM_STEP_TASKS_PER_NODE": "8(x2)"},
    ]

    accepted = [c for c in changes if "contradict" not in error_of({**TASK, **c}).message]
    assert accepted == []


def test_a_step_of_several_tasks_is_joined(step: pytest.MonkeyPatch) -> None:
    step.setenv("MASTER_ADDR", "gpu07-ib")

    join_step()

    set_now = {name: os.environ[name] for name in RANKS}
    assert set_now == {**rank_variables(TASK, gpus=0), "MASTER_ADDR": "gpu07-ib"}


def test_steps_of_one_task_batch_scripts_and_other_launchers_are_unchanged(
    step: pytest.MonkeyPatch,
) -> None:
    step.delenv("MASTER_ADDR")
    step.setenv("SLURM_STEP_NUM_TASKS", "1")  # srun --pty bash
    join_step()
    assert not [name for name in RANKS if name in os.environ]

    step.delenv("SLURM_STEP_NUM_TASKS")  # sbatch: there are tasks, but no step
    step.setenv("SLURM_NTASKS", "12")
    join_step()
    assert not [name for name in RANKS if name in os.environ]

    step.setenv("SLURM_STEP_NUM_TASKS", "2")  # srun torchrun
    step.setenv("LOCAL_RANK", "3")
    join_step()
    assert [name for name in RANKS if name in os.environ] == ["LOCAL_RANK"]


def test_rank_variables_of_another_origin_are_not_overwritten(step: pytest.MonkeyPatch) -> None:
    step.setenv("WORLD_SIZE", "2")  # exported in the batch script, meaning nodes

    with pytest.raises(UsageError, match=r"WORLD_SIZE=2 is set, but .* give 12"):
        join_step()


@pytest.mark.parametrize("command", ["pretrain", "finetune", "eval"])
def test_commands_of_several_processes_report_a_missing_variable_of_a_step(
    command: str, step: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step.delenv("SLURM_NODEID")

    assert run([command]) == 2

    assert "SLURM_NODEID is not set" in capsys.readouterr().err


def test_devices_must_not_contradict_the_launcher(step: pytest.MonkeyPatch) -> None:
    step.setenv("LOCAL_RANK", "0")
    step.setenv("LOCAL_WORLD_SIZE", "4")

    assert relaunch(None) is None
    assert relaunch(4) is None
    with pytest.raises(UsageError, match="--devices 2: a launcher has started 4"):
        relaunch(2)


def test_without_gpus_the_ranks_join_on_the_cpu_and_share_its_cores(
    step: pytest.MonkeyPatch,
) -> None:
    step.setenv("SLURM_CPUS_PER_TASK", "3")
    threads = torch.get_num_threads()
    join_step()

    try:
        assert relaunch(None) is None
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["ACCELERATE_USE_CPU"] == "true"

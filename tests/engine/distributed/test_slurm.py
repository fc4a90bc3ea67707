import os

import pytest
import torch

from videomae_cli.cli.app import run
from videomae_cli.engine.distributed.launch import relaunch
from videomae_cli.engine.distributed.slurm import (
    expand_nodes,
    expand_tasks,
    join_step,
    rank_variables,
)
from videomae_cli.errors import UsageError

# what srun tells task 9 of 12, which is number 1 on the second of two nodes
TASK = {
    "SLURM_JOB_ID": "4242",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "12",
    "SLURM_STEP_NODELIST": "gpu[07,12]",
    "SLURM_STEP_TASKS_PER_NODE": "8,4",
    "SLURM_PROCID": "9",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "1",
}
RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Put this process into Slurm's task, on a node without GPUs, with no launcher around it."""
    others = [name for name in os.environ if name.startswith(("SLURM_", "ACCELERATE_"))]
    for name in [*RANKS, "OMP_NUM_THREADS", "ACCELERATE_USE_CPU", *others]:
        monkeypatch.setenv(name, "")  # so that it is brought back, or taken away, at the end
        monkeypatch.delenv(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("localhost", ["localhost"]),
        ("gpu[003-005,9],login1", ["gpu003", "gpu004", "gpu005", "gpu9", "login1"]),
        ("a-1.b[08-11]-ib,c", ["a-1.b08-ib", "a-1.b09-ib", "a-1.b10-ib", "a-1.b11-ib", "c"]),
        ("rack[1-2]node[0,7]", ["rack1node0", "rack1node7", "rack2node0", "rack2node7"]),
        ("n[98-101]", ["n98", "n99", "n100", "n101"]),
    ],
)
def test_a_list_of_nodes_is_expanded_as_slurm_means_it(text: str, names: list[str]) -> None:
    assert expand_nodes(text) == names


@pytest.mark.parametrize("text", ["", "gpu[1-3", "gpu1-3]", "gpu[]", "gpu[a-c]", "a,,b", "a b"])
def test_what_is_no_list_of_nodes_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"SLURM_STEP_NODELIST=.*no list of nodes"):
        expand_nodes(text)


def test_counts_of_tasks_are_repeated_as_slurm_says() -> None:
    assert expand_tasks("8") == [8]
    assert expand_tasks("2(x3),1") == [2, 2, 2, 1]
    with pytest.raises(UsageError, match=r"SLURM_STEP_TASKS_PER_NODE=2\(y3\)"):
        expand_tasks("2(y3)")


def test_a_task_of_a_step_gets_the_rank_variables_of_torch() -> None:
    assert rank_variables(TASK, gpus=0) == {
        "RANK": "9",
        "WORLD_SIZE": "12",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "4",
        "MASTER_ADDR": "gpu07",
        "MASTER_PORT": str(12_000 + 61 * 4242 % 20_000),
    }


@pytest.mark.parametrize(("gpus", "local_rank"), [(4, "1"), (1, "0"), (0, "1")])
def test_the_local_rank_is_the_number_of_a_gpu_that_the_task_sees(
    gpus: int, local_rank: str
) -> None:
    assert rank_variables(TASK, gpus=gpus)["LOCAL_RANK"] == local_rank


def test_neighbouring_jobs_and_steps_meet_at_different_ports() -> None:
    ports = [
        rank_variables({**TASK, "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}, gpus=0)
        for job in range(9_999_950, 10_000_050)
        for step in range(20)
    ]

    numbers = {int(variables["MASTER_PORT"]) for variables in ports}
    assert len(numbers) == 2_000
    assert min(numbers) >= 12_000 and max(numbers) < 32_000


@pytest.mark.parametrize("name", sorted(TASK))
def test_a_missing_or_malformed_variable_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not set") as missing:
        rank_variables({key: value for key, value in TASK.items() if key != name}, gpus=0)
    with pytest.raises(UsageError, match=f"{name}=-2:"):
        rank_variables({**TASK, name: "-2:"}, gpus=0)

    assert "torchrun" in missing.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"SLURM_PROCID": "12"},
        {"SLURM_NODEID": "2"},
        {"SLURM_LOCALID": "4"},
        {"SLURM_STEP_TASKS_PER_NODE": "8(x2)"},
        {"SLURM_STEP_NODELIST": "gpu[07,12-13]"},
        {"SLURM_STEP_NODELIST": "gpu[12-07]"},
    ],
)
def test_variables_that_contradict_each_other_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="contradict each other"):
        rank_variables({**TASK, **change}, gpus=0)


def test_a_step_of_several_tasks_is_joined(step: pytest.MonkeyPatch) -> None:
    step.setenv("MASTER_ADDR", "gpu07-ib")

    join_step()

    set_now = {name: os.environ[name] for name in RANKS}
    assert set_now == {**rank_variables(TASK, gpus=0), "MASTER_ADDR": "gpu07-ib"}


def test_a_step_of_one_task_a_batch_script_and_a_launcher_within_are_left_alone(
    step: pytest.MonkeyPatch,
) -> None:
    step.setenv("SLURM_STEP_NUM_TASKS", "1")  # srun --pty bash
    join_step()
    assert not [name for name in RANKS if name in os.environ]

    step.delenv("SLURM_STEP_NUM_TASKS")  # sbatch: tasks are known, no step is
    step.setenv("SLURM_NTASKS", "12")
    join_step()
    assert not [name for name in RANKS if name in os.environ]

    step.setenv("SLURM_STEP_NUM_TASKS", "2")  # srun torchrun
    step.setenv("LOCAL_RANK", "3")
    join_step()
    assert [name for name in RANKS if name in os.environ] == ["LOCAL_RANK"]


def test_a_rank_of_somebody_else_is_not_overruled(step: pytest.MonkeyPatch) -> None:
    step.setenv("WORLD_SIZE", "2")  # exported in the batch script, meaning nodes

    with pytest.raises(UsageError, match=r"WORLD_SIZE=2 is set, but .* it is 12"):
        join_step()


@pytest.mark.parametrize("command", ["pretrain", "finetune", "eval"])
def test_commands_of_several_processes_tell_a_step_from_which_a_variable_is_missing(
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

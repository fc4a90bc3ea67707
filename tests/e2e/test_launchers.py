"""However its two processes were started, a run is the same run: to the last bit, on the CPU."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.warm import Warm

ALONE = {
    name: value
    for name, value in os.environ.items()
    if not re.search("^SLURM_|^ACCELERATE_|^MASTER_|RANK|WORLD_SIZE", name)
}
ENVIRONMENT = {**ALONE, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
PROGRAM = [sys.executable, "-m", "videomae_cli"]
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
ACCELERATE += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCHERS = {
    "--devices": [*PROGRAM, "pretrain", "--devices", "2"],
    "torchrun": [sys.executable, "-m", *TORCHRUN, "-m", "videomae_cli", "pretrain"],
    "accelerate": [
        *(sys.executable, "-m", *ACCELERATE, "--main_process_port", "0"),
        *("--module", "videomae_cli", "pretrain"),
    ],
}


def words_for(recipes: Path, prepared: Path, *changes: str) -> list[str]:
    words = ["--recipe", str(recipes / "micro.yaml"), "--data", str(prepared)]
    return words + [word for change in changes for word in ("--set", change)]


@pytest.fixture(scope="module")
def twin(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two processes that were given torch's variables by hand."""
    folder = tmp_path_factory.mktemp("twin")
    with Warm(folder / "output.txt") as warm:
        words = ["pretrain", *words_for(recipes, prepared), "--out", folder / "run"]
        assert warm.run(words, world=2) == [0, 0], warm.text()
    return folder / "run"


def assert_same(run: Path, twin: Path) -> None:
    last = sorted((twin / "checkpoints").iterdir())[-1].name
    weights = [f"checkpoints/{last}/{name}.safetensors" for name in ("model", "optimizer")]
    for name in ("metrics.jsonl", "final/model.safetensors", *weights):
        assert (run / name).read_bytes() == (twin / name).read_bytes(), name


def srun(words: Sequence[str | Path], output: Path) -> list[subprocess.Popen[bytes]]:
    """Start two tasks on this machine with the variables that Slurm gives them."""
    step = {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
    }
    with output.open("ab") as file:
        return [
            subprocess.Popen(
                [*PROGRAM, *map(str, words)],
                env={**ENVIRONMENT, **step, "SLURM_PROCID": task, "SLURM_LOCALID": task},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            for task in ("0", "1")
        ]


def ends(tasks: list[subprocess.Popen[bytes]]) -> list[int]:
    try:
        return [task.wait(240) for task in tasks]
    finally:
        for task in tasks:
            task.terminate()  # and a launcher its processes


@pytest.mark.slow
def test_tasks_of_slurm_make_one_run(
    twin: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output.txt"

    tasks = srun(["pretrain", *words_for(recipes, prepared), "--out", tmp_path / "run"], output)

    assert ends(tasks) == [0, 0], output.read_text()
    assert "2 processes on cpu, 1 thread" in output.read_text()
    assert output.read_text().count("run directory") == 1, "rank 1 is silent"
    assert_same(tmp_path / "run", twin)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=LAUNCHERS.keys())
def test_every_launcher_makes_the_same_run(
    launcher: list[str], twin: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output.txt"
    words = [*words_for(recipes, prepared), "--out", str(tmp_path / "run")]

    with output.open("wb") as file:
        launched = subprocess.Popen(
            [*launcher, *words],
            env=ENVIRONMENT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    assert ends([launched]) == [0], output.read_text()

    assert "2 processes on cpu, 1 thread" in output.read_text()
    assert_same(tmp_path / "run", twin)


@pytest.mark.slow
def test_a_job_whose_time_is_up_goes_on_after_it_was_requeued(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    output = tmp_path / "srun.txt"
    words = words_for(recipes, prepared, "schedule.steps=150", "train.save_every_steps=60")
    whole = ["pretrain", *words, "--out", tmp_path / "whole"]
    assert warm.run(whole, world=2) == [0, 0], warm.text()

    tasks = srun(["pretrain", *words, "--out", tmp_path / "parts"], output)
    while not (tmp_path / "parts/metrics.jsonl").is_file():
        assert all(task.poll() is None for task in tasks), output.read_text()
        time.sleep(0.01)
    for task in tasks:  # --signal=USR1@300: to every task, at about the same time
        task.send_signal(signal.SIGUSR1)
    assert ends(tasks) == [75, 75], output.read_text()
    assert f"--resume {tmp_path / 'parts'}" in output.read_text()
    assert ends(srun(["pretrain", "--resume", tmp_path / "parts"], output)) == [0, 0]

    assert_same(tmp_path / "parts", tmp_path / "whole")

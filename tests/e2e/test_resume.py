"""Real processes, real signals: what a killed run leaves behind, and how it goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from videomae_cli.cli import app

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def start(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *map(str, words)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*words: str | Path) -> str:
    process = start(*words)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("metrics.jsonl", "final/model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    last = sorted(path.name for path in (one / "checkpoints").iterdir())[-1]
    for name in ("model.safetensors", "optimizer.safetensors"):
        mine, its = (run / "checkpoints" / last / name for run in (one, other))
        assert mine.read_bytes() == its.read_bytes(), name


def children_of(group: int) -> list[str]:
    """Return the processes of a process group that are still there (Linux)."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=,args=", "--pgroup", str(group)], capture_output=True, text=True
    ).stdout
    return [line for line in listed.splitlines() if line.split()[1][0] != "Z"]


@pytest.mark.slow  # test_kill_loop.py does it without the wait for imports
def test_kill_9_then_resume_equals_a_run_that_was_never_touched(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "schedule.steps=40", "--set", "train.workers=1", "--out"]
    finish(*words, tmp_path / "whole")

    killed = start(*words, tmp_path / "killed")
    wait_for(tmp_path / "killed/checkpoints/step-000000010", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    finish("pretrain", "--resume", tmp_path / "killed")

    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 75, marks=pytest.mark.slow)],
)
def test_a_signal_saves_says_how_to_go_on_and_leaves_no_process(
    prepared: Path, recipes: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    words = ["finetune", "--recipe", str(recipes / "micro-finetune.yaml"), "--data", str(prepared)]
    words += ["--checkpoint", "scratch", "--set", "schedule.steps=4000"]
    words += ["--out", str(tmp_path / "r")]
    process = subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_for(tmp_path / "r/metrics.jsonl", process)

    os.killpg(process.pid, number)  # what Ctrl-C does: everyone in the group gets it
    output, _ = process.communicate(timeout=60)

    assert process.returncode == code, output
    assert f"--resume {tmp_path / 'r'}" in output
    assert list((tmp_path / "r/checkpoints").iterdir())
    assert children_of(process.pid) == []


def test_a_start_that_is_refused_leaves_no_run_behind(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    words = ["finetune", "--recipe", str(recipes / "micro-finetune.yaml"), "--data", str(prepared)]
    words += ["--out", str(tmp_path / "run"), "--checkpoint"]
    (tmp_path / "weights.pth").write_bytes(b"none")

    assert app.run([*words, str(tmp_path / "weights.pth")]) == 4
    assert not (tmp_path / "run/recipe.yaml").exists()

    assert app.run([*words, "scratch"]) == 0
    assert (tmp_path / "run/final/model.json").is_file()
    assert app.run([*words, "scratch"]) == 2  # now there is a run, which is not written over


@pytest.mark.slow
def test_a_resume_that_would_be_another_run_is_refused(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "schedule.steps=3"]
    finish(*words, "--out", tmp_path / "run")

    process = start(*words, "--set", "optim.base_lr=0.5", "--resume", tmp_path / "run")
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 5
    assert "optim.base_lr" in output


@pytest.mark.slow
def test_two_processes_train_what_one_trains(prepared: Path, recipes: Path, tmp_path: Path) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "train.log_every_steps=1", "--set", "model.drop_path=0.0"]
    finish(*words, "--out", tmp_path / "one")

    output = finish(*words, "--out", tmp_path / "two", "--devices", "2")

    from videomae_cli.engine.logging.metrics import read_metrics

    assert "2 processes" in output
    one, two = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 12
    for mine, its in zip(one, two, strict=True):
        assert mine["loss"] == pytest.approx(its["loss"], rel=1e-5)
        assert mine["grad_norm"] == pytest.approx(its["grad_norm"], rel=1e-4)

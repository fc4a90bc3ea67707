"""Real processes, real signals: what a killed run leaves behind, and how it goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.warm import Warm, left_of, wait
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


def wait_for(path: Path, is_alive: Callable[[], bool], text: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert is_alive(), text()
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("metrics.jsonl", "final/model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    last = sorted(path.name for path in (one / "checkpoints").iterdir())[-1]
    for name in ("model.safetensors", "optimizer.safetensors"):
        mine, its = (run / "checkpoints" / last / name for run in (one, other))
        assert mine.read_bytes() == its.read_bytes(), name


@pytest.mark.slow  # test_kill_loop.py does it without the wait for imports
def test_kill_9_then_resume_equals_a_run_that_was_never_touched(
    prepared: Path, recipes: Path, tmp_path: Path, warm: Warm
) -> None:
    words: list[str | Path] = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "schedule.steps=40", "--set", "train.workers=1", "--out"]
    assert warm.run([*words, tmp_path / "whole"]) == [0], warm.text()

    killed = start(*words, tmp_path / "killed")
    save = tmp_path / "killed/checkpoints/step-000000010"
    wait_for(save, lambda: killed.poll() is None, lambda: killed.communicate()[0])
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert warm.run(["pretrain", "--resume", tmp_path / "killed"]) == [0], warm.text()

    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 75, marks=pytest.mark.slow)],
)
def test_a_signal_saves_says_how_to_go_on_and_leaves_no_process(
    prepared: Path, recipes: Path, tmp_path: Path, number: signal.Signals, code: int, warm: Warm
) -> None:
    words: list[str | Path] = ["finetune", "--recipe", recipes / "micro-finetune.yaml"]
    words += ["--data", prepared, "--checkpoint", "scratch", "--set", "schedule.steps=4000"]
    (process,) = warm.start([*words, "--out", tmp_path / "r"])
    wait_for(tmp_path / "r/metrics.jsonl", process.is_alive, warm.text)

    assert process.pid is not None
    os.killpg(process.pid, number)  # what Ctrl-C does: everyone in the group gets it

    assert wait(process) == code, warm.text()
    assert f"--resume {tmp_path / 'r'}" in warm.text()
    assert list((tmp_path / "r/checkpoints").iterdir())
    assert left_of(process) == []


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


def test_a_resume_that_would_be_another_run_is_refused(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(prepared)]
    words += ["--set", "schedule.steps=3"]
    assert app.run([*words, "--out", str(tmp_path / "run")]) == 0

    code = app.run([*words, "--set", "optim.base_lr=0.5", "--resume", str(tmp_path / "run")])

    assert code == 5
    assert "optim.base_lr" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_what_one_trains(
    prepared: Path, recipes: Path, tmp_path: Path, warm: Warm
) -> None:
    words: list[str | Path] = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "train.log_every_steps=1", "--set", "model.drop_path=0.0"]
    assert warm.run([*words, "--out", tmp_path / "one"]) == [0], warm.text()

    process = start(*words, "--out", tmp_path / "two", "--devices", "2")
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 0, output
    from videomae_cli.engine.logging.metrics import read_metrics

    assert "2 processes" in output
    one, two = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 12
    for mine, its in zip(one, two, strict=True):
        assert mine["loss"] == pytest.approx(its["loss"], rel=1e-5)
        assert mine["grad_norm"] == pytest.approx(its["grad_norm"], rel=1e-4)

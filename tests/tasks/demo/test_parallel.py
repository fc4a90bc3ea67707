"""Parallel tasks: their order, their messages, and how they stop."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from videomae_cli.errors import DataError, Stopped, TrainingError
from videomae_cli.report import Report, Silence
from videomae_cli.tasks.demo.parallel import ParallelTask, run_in_parallel

PATIENCE_SECONDS = 60.0


class Counts(Silence):
    """Adds up the progress, and keeps the messages."""

    def __init__(self) -> None:
        self.advanced = 0
        self.messages: list[str] = []

    def say(self, text: str) -> None:
        self.messages.append(text)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        self.advanced += amount


def record(folder: Path, name: str, report: Report) -> tuple[str, int]:
    """Report, advance three steps and nine videos, write a file; return the number of threads."""
    report.say(f"{name} after {len(list(folder.iterdir()))}")
    report.start("training", total=3, done=1)
    report.advance(2, figures=name)
    report.finish()
    report.start("testing", total=9, unit="video")
    report.advance(9)
    report.finish()
    (folder / name).touch()
    return name, torch.get_num_threads()


def fail(folder: Path, report: Report) -> None:
    """Fail after the other task has started."""
    await_file(folder / "started")
    raise DataError("no videos", "prepare some")


def die(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_until_stopped(folder: Path, report: Report) -> None:
    """Run until asked to stop, then write a file."""
    (folder / "process").write_text(str(os.getpid()))
    (folder / "started").touch()
    try:
        time.sleep(PATIENCE_SECONDS)
    finally:
        (folder / "stopped").touch()


def signal_parent(folder: Path, number: int, report: Report) -> None:
    await_file(folder / "started")
    os.kill(os.getppid(), number)
    time.sleep(PATIENCE_SECONDS)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not exist"
        time.sleep(0.02)


def test_tasks_wait_for_their_requirements_and_report(tmp_path: Path) -> None:
    counts = Counts()
    tasks = [
        ParallelTask("last", partial(record, tmp_path, "last"), 3, requires=("first", "second")),
        ParallelTask("first", partial(record, tmp_path, "first"), 3),
        ParallelTask("second", partial(record, tmp_path, "second"), 3),
    ]

    results = run_in_parallel(tasks, counts, workers=2, title="all")

    assert results == {name: (name, 1) for name in ("first", "second", "last")}
    assert counts.messages[-1] == "last after 2"
    assert counts.advanced == 9


def test_the_error_of_one_task_stops_the_other_and_keeps_its_hint(tmp_path: Path) -> None:
    tasks = [
        ParallelTask("other", partial(run_until_stopped, tmp_path)),
        ParallelTask("bad", partial(fail, tmp_path)),
    ]

    with pytest.raises(DataError, match="no videos") as caught:
        run_in_parallel(tasks, Silence(), workers=2, title="all")

    assert caught.value.hint == "prepare some"
    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 75, marks=pytest.mark.slow)],
)
def test_a_signal_reaches_the_running_tasks(number: int, code: int, tmp_path: Path) -> None:
    tasks = [
        ParallelTask("one", partial(run_until_stopped, tmp_path)),
        ParallelTask("two", partial(signal_parent, tmp_path, number)),
        ParallelTask("never started", partial(record, tmp_path, "three")),
    ]

    with pytest.raises(Stopped) as caught:
        run_in_parallel(tasks, Silence(), workers=2, title="all")

    assert caught.value.exit_code == code
    assert (tmp_path / "stopped").exists()
    assert not (tmp_path / "three").exists()


def test_the_death_of_a_worker_is_a_training_error() -> None:
    with pytest.raises(TrainingError, match="died"):
        run_in_parallel([ParallelTask("one", die)], Silence(), workers=1, title="all")


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    program = (
        "from functools import partial; from pathlib import Path\n"
        "from tests.tasks.demo.test_parallel import run_until_stopped\n"
        "from videomae_cli.tasks.demo.parallel import ParallelTask, run_in_parallel\n"
        "from videomae_cli.report import Silence\n"
        "if __name__ == '__main__':\n"
        f"    task = ParallelTask('one', partial(run_until_stopped, Path({str(tmp_path)!r})))\n"
        "    run_in_parallel([task], Silence(), workers=1, title='all')\n"
    )
    (tmp_path / "program.py").write_text(program)
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, tmp_path / "program.py"], env={**os.environ, "PYTHONPATH": str(root)}
    ) as parent:
        await_file(tmp_path / "started")
        parent.kill()

    await_file(tmp_path / "stopped")

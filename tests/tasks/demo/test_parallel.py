"""Parts side by side: their order, their words, and how they stop."""

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
from videomae_cli.tasks.demo.parallel import Part, side_by_side

PATIENCE_SECONDS = 60.0


class Counts(Silence):
    """Adds up the progress; keeps what is said."""

    def __init__(self) -> None:
        self.advanced = 0
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        self.advanced += amount


def settle(folder: Path, name: str, report: Report) -> tuple[str, int]:
    """Leave a file, say so, count three steps, and say how many threads there are."""
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
    """Fail once the other part is under way."""
    await_file(folder / "begun")
    raise DataError("no videos", "prepare some")


def die(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def last(folder: Path, report: Report) -> None:
    """Go on until asked to stop, and leave word of it."""
    (folder / "process").write_text(str(os.getpid()))
    (folder / "begun").touch()
    try:
        time.sleep(PATIENCE_SECONDS)
    finally:
        (folder / "stopped").touch()


def signal_parent(folder: Path, number: int, report: Report) -> None:
    await_file(folder / "begun")
    os.kill(os.getppid(), number)
    time.sleep(PATIENCE_SECONDS)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_parts_wait_for_their_needs_and_are_heard(tmp_path: Path) -> None:
    counts = Counts()
    parts = [
        Part("last", partial(settle, tmp_path, "last"), 3, needs=("first", "second")),
        Part("first", partial(settle, tmp_path, "first"), 3),
        Part("second", partial(settle, tmp_path, "second"), 3),
    ]

    results = side_by_side(parts, counts, lanes=2, title="all")

    assert results == {name: (name, 1) for name in ("first", "second", "last")}
    assert counts.said[-1] == "last after 2"
    assert counts.advanced == 9


def test_the_error_of_one_part_stops_the_other_and_keeps_its_hint(tmp_path: Path) -> None:
    parts = [Part("other", partial(last, tmp_path)), Part("bad", partial(fail, tmp_path))]

    with pytest.raises(DataError, match="no videos") as caught:
        side_by_side(parts, Silence(), lanes=2, title="all")

    assert caught.value.hint == "prepare some"
    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 75, marks=pytest.mark.slow)],
)
def test_a_signal_reaches_the_parts_under_way(number: int, code: int, tmp_path: Path) -> None:
    parts = [
        Part("one", partial(last, tmp_path)),
        Part("two", partial(signal_parent, tmp_path, number)),
        Part("never begun", partial(settle, tmp_path, "three")),
    ]

    with pytest.raises(Stopped) as caught:
        side_by_side(parts, Silence(), lanes=2, title="all")

    assert caught.value.exit_code == code
    assert (tmp_path / "stopped").exists()
    assert not (tmp_path / "three").exists()


def test_a_lane_that_dies_is_an_error_of_ours() -> None:
    with pytest.raises(TrainingError, match="died"):
        side_by_side([Part("one", die)], Silence(), lanes=1, title="all")


@pytest.mark.slow
def test_lanes_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    program = (
        "from functools import partial; from pathlib import Path\n"
        "from tests.tasks.demo.test_parallel import last\n"
        "from videomae_cli.tasks.demo.parallel import Part, side_by_side\n"
        "from videomae_cli.report import Silence\n"
        "if __name__ == '__main__':\n"
        f"    part = Part('one', partial(last, Path({str(tmp_path)!r})))\n"
        "    side_by_side([part], Silence(), lanes=1, title='all')\n"
    )
    (tmp_path / "program.py").write_text(program)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, tmp_path / "program.py"], env={**os.environ, "PYTHONPATH": str(root)}
    ) as parent:
        await_file(tmp_path / "begun")
        parent.kill()

    await_file(tmp_path / "stopped")

"""The output on a terminal, in a log file, and as JSON."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from videomae_cli.cli import console
from videomae_cli.cli.plain_report import PlainReport
from videomae_cli.errors import DataError, Stopped
from videomae_cli.report import Silence


class Lines(list[str]):
    """Collects lines, and is a clock that the test sets."""

    now = 0.0

    def clock(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture(autouse=True)
def _leave_the_logger_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("videomae")
    handlers = list(logger.handlers)
    yield
    logger.handlers[:] = handlers


def plain(lines: Lines) -> PlainReport:
    return PlainReport(lines.append, lines.append, clock=lines.clock)


def test_plain_progress_is_a_line_every_ten_seconds_and_the_last(lines: Lines) -> None:
    report = plain(lines)

    report.start("pretrain", total=100)
    for _ in range(100):
        lines.now += 0.25
        report.advance(figures="loss 0.61")
    report.finish()

    assert lines == [
        "pretrain 40/100 steps (40 %), 0:00:15 left, loss 0.61",
        "pretrain 80/100 steps (80 %), 0:00:05 left, loss 0.61",
        "pretrain 100/100 steps (100 %), in 0:00:25, loss 0.61",
    ]


def test_plain_progress_of_a_resumed_run_counts_time_from_its_resume(lines: Lines) -> None:
    report = plain(lines)

    report.start("pretrain", total=1000, done=900)
    lines.now = 10.0
    report.advance(10)

    assert lines == ["pretrain 910/1,000 steps (91 %), 0:01:30 left"]


def test_a_progress_that_ends_early_shows_where_it_stopped_once(lines: Lines) -> None:
    report = plain(lines)

    report.start("probe", total=10, unit="video")
    lines.now = 10.0
    report.advance(4)
    report.finish()
    report.finish()

    assert lines == ["probe 4/10 videos (40 %), 0:00:15 left"]


def test_a_plain_table_has_aligned_columns(lines: Lines) -> None:
    plain(lines).table("Accuracy", ["run", "top-1"], [["pretrained", "79 %"], ["scratch", "13 %"]])

    assert lines == ["Accuracy", "  run         top-1", "  pretrained  79 %", "  scratch     13 %"]


def terminal() -> tuple[console.ConsoleReport, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    report = console.ConsoleReport(
        Console(file=out, width=80), Console(file=err, width=120, force_terminal=True)
    )
    return report, out, err


def test_a_terminal_shows_a_bar_with_count_and_figures() -> None:
    report, out, err = terminal()

    report.start("pretrain", total=20, done=10)
    report.advance(5, figures="loss 0.61 [x]")
    report.finish()

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err.getvalue())
    assert "pretrain" in shown
    assert "15/20 steps" in shown
    assert "loss 0.61 [x]" in shown
    assert out.getvalue() == ""


def test_results_go_to_stdout_whole_and_warnings_to_stderr() -> None:
    report, out, err = terminal()
    path = "[bold]" + "very/" * 40 + "long"

    report.say(path)
    report.warn("slow [disk]")

    assert out.getvalue() == f"{path}\n"
    assert "slow [disk]" in err.getvalue()


def test_results_reach_a_piped_stdout_while_a_bar_is_shown() -> None:
    report, out, _ = terminal()

    report.start("pretrain", total=2)
    report.say("saved step 1")
    report.finish()

    assert out.getvalue() == "saved step 1\n"


def test_log_warnings_become_lines_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    console.make_report()
    console.make_report()

    logging.getLogger("videomae").warning("%s: read with pyav", "a.mp4")
    logging.getLogger("videomae").info("not for people")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning: a.mp4: read with pyav\n")


def test_with_json_stdout_contains_one_document_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = console.make_report(json_output=True)

    report.say("81 videos")
    report.table("t", ["a"], [["1"]])
    console.print_json({"top1": 81.3, "name": "é"})

    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"top1": 81.3, "name": "é"}
    assert "81 videos" in captured.err


def test_other_ranks_show_only_logged_warnings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")

    report = console.make_report()
    report.say("saved")
    report.warn("seen by the first rank too")
    logging.getLogger("videomae").warning("a.mp4: truncated")

    assert isinstance(report, Silence)
    assert capsys.readouterr() == ("", "rank 1: warning: a.mp4: truncated\n")


def test_an_error_shows_message_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(DataError("data/k400: no manifest [here]", "run videomae prepare"))

    assert capsys.readouterr().err == (
        "error: data/k400: no manifest [here]\nhint: run videomae prepare\n"
    )


def test_an_error_of_another_rank_names_the_rank(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")

    console.show_error(DataError("a.mp4: truncated"))

    assert capsys.readouterr().err == "rank 3: error: a.mp4: truncated\n"


def test_only_rank_0_prints_that_the_run_was_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")

    console.show_error(Stopped("saved at step 12", "--resume runs/x"))

    assert capsys.readouterr().err == ""


def test_a_stop_is_not_called_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(Stopped("saved at step 12", "--resume runs/x"))

    assert capsys.readouterr().err == "stopped: saved at step 12\nhint: --resume runs/x\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_worker_can_warn_while_a_bar_is_shown() -> None:
    code = """
import io, logging, os, sys
from rich.console import Console
from videomae_cli.cli import console
logger = logging.getLogger("videomae")
err = Console(file=io.StringIO(), force_terminal=True)
report = console.ConsoleReport(err, err)
logger.addHandler(console._LogLines(report.warn))
report.start("x", total=1)
with err._lock:
    child = os.fork()
    if child == 0:
        logger.warning("from the child")
        os._exit(0)
os.waitpid(child, 0)
report.finish()
"""

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "warning: from the child\n")


def test_a_table_wider_than_the_terminal_is_not_cut() -> None:
    report, out, _ = terminal()
    name = "a-name-without-any-blank-" * 4

    report.table("Names", ["name", "kind"], [[name, "finetune"]])

    letters = re.sub(r"[^a-z-]", "", out.getvalue())
    assert "…" not in out.getvalue()
    assert set(name.split("-")) <= set(letters.split("-"))
    assert letters.count("without") + letters.count("blank") >= 4

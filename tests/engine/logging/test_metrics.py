from pathlib import Path

import pytest

from videomae_cli.engine.logging.metrics import MetricsLog, read_metrics
from videomae_cli.errors import TrainingError


def test_rewinding_drops_later_lines_and_a_line_cut_short(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (10, 20, 30):
        log.write(step, {"loss": 1 / step})
    with log.path.open("a") as file:
        file.write('{"step": 40, "lo')

    log.rewind(20)

    assert read_metrics(log.path) == [{"step": 10, "loss": 0.1}, {"step": 20, "loss": 0.05}]


def test_an_inactive_log_writes_nothing(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", active=False)

    log.rewind(0)
    log.write(1, {"loss": 1.0})

    assert not log.path.exists()


def test_rewinding_to_a_number_of_lines_drops_a_later_line_of_the_same_step(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write(10, {"loss": 1.0})
    log.write(10, {"val_top1": 0.5})

    log.rewind(10, lines=1)

    assert read_metrics(log.path) == [{"step": 10, "loss": 1.0}]
    assert log.lines == 1


def test_a_log_that_cannot_be_written_is_a_training_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()

    with pytest.raises(TrainingError, match=r"metrics.jsonl: cannot be written"):
        MetricsLog(tmp_path / "metrics.jsonl").write(1, {"loss": 1.0})

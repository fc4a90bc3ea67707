import math
from pathlib import Path

import pytest

from videomae_cli.engine.logging.metrics import (
    MetricsLog,
    RunningStats,
    add_step,
    pop_averages,
    read_metrics,
    record_order,
)
from videomae_cli.errors import TrainingError


def test_truncating_removes_later_lines_an_incomplete_line_and_leftovers_of_killed_processes(
    tmp_path: Path,
) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (10, 20, 30):
        log.write(step, {"loss": 1 / step})
    with log.path.open("a") as file:
        file.write('{"step": 40, "lo')
    (tmp_path / ".metrics.partial-1.jsonl").write_text("left by a killed process")

    log.truncate(20)

    assert read_metrics(log.path) == [{"step": 10, "loss": 0.1}, {"step": 20, "loss": 0.05}]
    assert list(tmp_path.iterdir()) == [log.path]


def test_an_inactive_log_writes_nothing(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", active=False)

    log.truncate(0)
    log.write(1, {"loss": 1.0})

    assert not log.path.exists()


def test_truncating_to_a_number_of_lines_removes_a_later_line_of_the_same_step(
    tmp_path: Path,
) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write(10, {"loss": 1.0})
    log.write(10, {"val_top1": 0.5})

    log.truncate(10, lines=1)

    assert read_metrics(log.path) == [{"step": 10, "loss": 1.0}]
    assert log.lines == 1


def test_a_log_that_cannot_be_written_is_a_training_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()

    with pytest.raises(TrainingError, match=r"metrics.jsonl: cannot be written"):
        MetricsLog(tmp_path / "metrics.jsonl").write(1, {"loss": 1.0})


def test_a_line_has_the_means_the_maxima_and_the_last_order() -> None:
    stats: RunningStats = {}
    add_step(stats, loss=1.0, grad_norm=4.0)
    record_order(stats, [3, 1])
    add_step(stats, loss=3.0, grad_norm=2.0)

    values = pop_averages(stats)

    order = values.pop("order")
    assert values == {"loss": 2.0, "loss_max": 3.0, "grad_norm": 3.0, "grad_norm_max": 4.0}
    assert stats == {}
    record_order(stats, [1, 3])
    assert stats["order"] != order


def test_a_single_video_has_no_order() -> None:
    stats: RunningStats = {}

    record_order(stats, [3])

    assert stats == {}


def test_a_value_that_is_not_finite_is_null_in_the_log_and_nan_when_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)

    log.write(1, {"loss": 0.1 + 0.2, "lr": 1e-7})
    log.write(2, {"loss": math.nan, "grad_norm": math.inf})

    assert path.read_text().splitlines() == [
        '{"step": 1, "loss": 0.30000000000000004, "lr": 1e-07}',
        '{"step": 2, "loss": null, "grad_norm": null}',
    ]
    read = read_metrics(path)[1]
    assert math.isnan(read["loss"]) and math.isnan(read["grad_norm"])


def test_a_log_with_nan_as_older_versions_wrote_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "val_loss": NaN}\n')

    assert math.isnan(read_metrics(tmp_path / "metrics.jsonl")[0]["val_loss"])

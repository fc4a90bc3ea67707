from pathlib import Path

from videomae_cli.engine.metrics import MetricsLog, read_metrics


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

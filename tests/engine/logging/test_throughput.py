"""Rates and waiting times of training, with a clock that the test sets."""

import json
import time
from pathlib import Path

import pytest
import torch

from videomae_cli.engine.logging.metrics import MetricsLog
from videomae_cli.engine.logging.throughput import Throughput


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def take_step(self, throughput: Throughput, *, wait: float, work: float) -> None:
        with throughput.measure_wait():
            self.now += wait
        self.now += work
        throughput.count_step()


def test_a_line_has_the_averages_since_the_last_and_the_summary_those_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    file = tmp_path / "speed.jsonl"
    throughput = Throughput(MetricsLog(file, active=True), batch=8, device=torch.device("cpu"))
    assert throughput.summary() == ""

    clock.take_step(throughput, wait=1, work=3)
    clock.take_step(throughput, wait=0, work=4)
    throughput.write(2)
    clock.now += 50  # a validation
    throughput.restart_timer()
    clock.take_step(throughput, wait=0, work=2)
    throughput.write(3)

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["clips_per_s"], line["data_wait"]) for line in lines] == [(2, 0.125), (4, 0)]
    assert throughput.summary() == ("2.4 clips/s, 10.0% of the time waiting for data")


def test_a_run_that_waits_for_data_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    log = MetricsLog(tmp_path / "speed.jsonl", active=True)
    throughput = Throughput(log, batch=4, device=torch.device("cpu"))
    clock.take_step(throughput, wait=1, work=3)
    throughput.write(1)

    assert throughput.summary().startswith("1.0 clips/s, 25.0% of the time waiting for data; ")
    assert "train.workers" in throughput.summary()

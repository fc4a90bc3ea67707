import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from videomae_cli.engine import state as saves
from videomae_cli.engine.loop import Cadence, Training, fit
from videomae_cli.engine.metrics import read_metrics
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.report import Silence
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.state import State
from videomae_cli.errors import Stopped, TrainingError
from videomae_cli.rng import stream


class Loss(NamedTuple):
    loss: Tensor


class Toy(nn.Module):
    """A regression with dropout, so that the model's own randomness is at stake."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x: Tensor, y: Tensor) -> Loss:
        return Loss((self.net(x) - y).square().mean())


def micro_batches(
    plan: Plan, start: int, spoil: int | None
) -> Iterator[Iterator[dict[str, Tensor]]]:
    for step in range(start, plan.steps):
        rng = stream(0, "toy", step)
        x = torch.from_numpy(rng.standard_normal((plan.batch, 3), dtype="float32"))
        y = x.sum(dim=1, keepdim=True) * (float("nan") if step == spoil else 1.0)
        index = torch.arange(plan.batch)
        size = plan.micro_batch
        yield iter(
            [
                {"x": x[i : i + size], "y": y[i : i + size], "index": index[i : i + size]}
                for i in range(0, plan.batch, size)
            ]
        )


def a_plan(steps: int = 12, micro: int = 8) -> Plan:
    return Plan(
        steps=steps,
        warmup=2,
        steps_per_epoch=5,
        batch=8,
        world=1,
        micro_batch=micro,
        accumulation=8 // micro,
        peak_lr=0.05,
        floor_lr=0.0,
        start_lr=0.0,
        clip_grad=1.0,
    )


def train(
    run_dir: Path, plan: Plan, *, stop_at: int | None = None, spoil: int | None = None
) -> dict[str, Tensor]:
    """Train the toy from the newest save; on request be sent SIGTERM during a step."""

    def feed(batch: dict[str, Tensor], step: int, number: int) -> dict[str, Tensor]:
        if step == stop_at and number == 0:  # a second signal would mean: leave at once
            os.kill(os.getpid(), signal.SIGTERM)
        return {"x": batch["x"], "y": batch["y"]}

    with Runtime("fp32") as runtime:
        toy = Toy()
        groups = parameter_groups(toy, weight_decay=0.1)
        model, optimizer = runtime.accelerator.prepare(
            toy, adamw(groups, betas=(0.9, 0.95), eps=1e-8)
        )
        state = State()
        found, _ = saves.newest(run_dir / "checkpoints")
        if found:
            state = saves.read(found)
            saves.restore(found, runtime.unwrap(model), optimizer.optimizer)
        work = Training(model, optimizer, micro_batches(plan, state.step, spoil), feed, None)
        fit(
            work,
            plan,
            Cadence(log=5, save=4, evaluate=None, keep=2),
            state,
            runtime=runtime,
            report=Silence(),
            run_dir=run_dir,
            seed=1,
        )
        return {name: value.clone() for name, value in toy.state_dict().items()}


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    plan = a_plan(micro=4)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = train(tmp_path / "whole", plan)

    with pytest.raises(Stopped) as stopped:
        train(tmp_path / "parts", plan, stop_at=6)
    with pytest.raises(Stopped):
        train(tmp_path / "parts", plan, stop_at=8)
    parts = train(tmp_path / "parts", plan)

    assert stopped.value.exit_code == 75
    assert "step 7 of 12" in stopped.value.message
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]
    assert [line["step"] for line in read_metrics(tmp_path / "parts/metrics.jsonl")] == [5, 10, 12]


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = train(tmp_path, a_plan())
    log = (tmp_path / "metrics.jsonl").read_text()

    again = train(tmp_path, a_plan())

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert (tmp_path / "metrics.jsonl").read_text() == log


def test_a_non_finite_loss_stops_before_the_optimizer_moves(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"step 6: loss nan.*videos \[0, 1, 2"):
        train(tmp_path, a_plan(), spoil=6)

    found, _ = saves.newest(tmp_path / "checkpoints")
    assert found is not None
    assert found.name == "step-000000004"


def test_signal_handlers_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    train(tmp_path, a_plan(steps=2))

    assert signal.getsignal(signal.SIGTERM) is before

import json
import os
import signal
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from videomae_cli.engine.logging.metrics import Metric, read_metrics
from videomae_cli.engine.loop import Intervals, fit
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState, read_state, restore_tensors
from videomae_cli.engine.saving.store import Retention, newest_checkpoint
from videomae_cli.engine.step import FitInputs
from videomae_cli.errors import Stopped, TrainingError
from videomae_cli.report import Silence
from videomae_cli.rng import stream


class Loss(NamedTuple):
    loss: Tensor


class Points(NamedTuple):
    x: Tensor
    y: Tensor
    indices: Tensor
    failed: Tensor


class Toy(nn.Module):
    """A regression with dropout, so that the random state of the model matters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x: Tensor, y: Tensor) -> Loss:
        return Loss((self.net(x) - y).square().mean())


def micro_batches(
    plan: TrainingPlan, start: int, spoil: Collection[int]
) -> Iterator[Iterator[Points]]:
    for step in range(start, plan.steps):
        rng = stream(0, "toy", step)
        x = torch.from_numpy(rng.standard_normal((plan.batch, 3), dtype="float32"))
        y = x.sum(dim=1, keepdim=True) * (float("nan") if step in spoil else 1.0)
        index = torch.arange(plan.batch)
        size = plan.micro_batch
        yield iter(
            [
                Points(
                    x[i : i + size],
                    y[i : i + size],
                    index[i : i + size],
                    torch.zeros(size, dtype=torch.int64),
                )
                for i in range(0, plan.batch, size)
            ]
        )


def a_plan(steps: int = 12, micro: int = 8) -> TrainingPlan:
    return TrainingPlan(
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
    run_dir: Path,
    plan: TrainingPlan,
    *,
    stop_at: int | None = None,
    spoil: Collection[int] = (),
    skips: int = 0,
    evaluate: Callable[[int], dict[str, float]] | None = None,
    metric: Metric = Metric("top1"),  # noqa: B008  (immutable)
) -> dict[str, Tensor]:
    """Train the toy from the newest checkpoint; on request, send SIGTERM during a step."""

    def feed(batch: Points, step: int, number: int) -> dict[str, Tensor]:
        if step == stop_at and number == 0:  # a second signal would end the process at once
            os.kill(os.getpid(), signal.SIGTERM)
        return {"x": batch.x, "y": batch.y}

    with Runtime("fp32") as runtime:
        toy = Toy()
        groups = parameter_groups(toy, weight_decay=0.1)
        model, optimizer = runtime.accelerator.prepare(
            toy, adamw(groups, betas=(0.9, 0.95), eps=1e-8)
        )
        state = TrainingState()
        newest, _ = newest_checkpoint(run_dir / "checkpoints")
        if newest:
            state = read_state(newest)
            restore_tensors(newest, runtime.unwrap(model), optimizer.optimizer)
        batches = micro_batches(plan, state.step, spoil)
        inputs = FitInputs(
            model,
            optimizer,
            batches,
            feed,
            evaluate,
            metric=metric,
            sample_name="clip {}.mp4".format,
        )
        fit(
            inputs,
            plan,
            Intervals(
                log=5,
                checkpoint=4,
                validate=3 if evaluate else None,
                retention=Retention(2),
                nonfinite_budget=skips,
            ),
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


def test_a_loss_that_is_not_finite_stops_the_run_before_the_weights_change(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"step 6: loss nan.*clip 0.mp4, clip 1.mp4") as caught:
        train(tmp_path, a_plan(), spoil=[6])

    newest, _ = newest_checkpoint(tmp_path / "checkpoints")
    assert newest is not None
    assert newest.name == "step-000000004"
    record = json.loads((tmp_path / "crash-step-000000006.json").read_text())
    assert caught.value.exit_code == 5
    assert "forward pass" in record["likely_cause"]
    assert record["micro_batches"] == [{"rank": 0, "loss": "nan", "samples": list(range(8))}]
    assert record["videos"] == [f"clip {i}.mp4" for i in range(8)]
    assert record["weights_not_finite"] == [], "no weight has changed"


def test_skipped_steps_are_counted_logged_and_survive_a_restart(tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    spoil = [3, 6, 7]
    whole = train(tmp_path / "whole", a_plan(), spoil=spoil, skips=3)

    with pytest.raises(Stopped):
        train(tmp_path / "parts", a_plan(), spoil=spoil, skips=3, stop_at=6)
    parts = train(tmp_path / "parts", a_plan(), spoil=spoil, skips=3)

    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    assert logs[0] == logs[1]
    lines = [json.loads(line) for line in logs[0].splitlines()]
    assert [(line["step"], line["skipped"]) for line in lines if "skipped" in line] == [
        (4, 1),
        (7, 2),
        (8, 3),
    ]
    assert all(line["loss"] > 0 for line in lines if "loss" in line)


def test_a_skipped_step_leaves_weights_and_optimizer_as_they_were(tmp_path: Path) -> None:
    train(tmp_path, a_plan(steps=4))
    before, _ = newest_checkpoint(tmp_path / "checkpoints")
    train(tmp_path, a_plan(steps=8), spoil=[4, 5, 6, 7], skips=4)
    after, _ = newest_checkpoint(tmp_path / "checkpoints")

    assert before is not None and after is not None and read_state(after).skipped == 4
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (before / name).read_bytes() == (after / name).read_bytes()


def test_the_budget_counts_over_restarts(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(tmp_path, a_plan(), spoil=[2, 3, 9], skips=2, stop_at=5)

    with pytest.raises(TrainingError, match=r"step 9.*after 2 skipped steps"):
        train(tmp_path, a_plan(), spoil=[2, 3, 9], skips=2)


def test_a_validation_that_was_stopped_is_repeated_on_resume_and_logged_once(
    tmp_path: Path,
) -> None:
    calls: list[int] = []

    def evaluate(step: int) -> dict[str, float]:
        calls.append(step)
        if step == 6 and calls.count(6) == 1:
            raise Stopped("asked to stop")
        return {"top1": {6: 0.1, 9: 0.5}.get(step, 0.25)}

    with pytest.raises(Stopped, match="step 6 of 12"):
        train(tmp_path, a_plan(), evaluate=evaluate)
    with pytest.raises(Stopped):  # the validation of step 6 is older than the checkpoint of step 7
        train(tmp_path, a_plan(), evaluate=evaluate, stop_at=6)
    (tmp_path / "checkpoints/step-000000007/state.json").unlink()
    train(tmp_path, a_plan(), evaluate=evaluate)

    assert calls == [3, 6, 6, 6, 9, 12]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "val_top1" in line] == [3, 6, 9, 12]
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert "step-000000009" in kept, "the best is kept"


def test_signal_handlers_are_restored(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    train(tmp_path, a_plan(steps=2))

    assert signal.getsignal(signal.SIGTERM) is before

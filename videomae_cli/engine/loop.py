"""The loop, shared by pretraining and fine-tuning. It does not know what a video is.

The order inside a step is: rate, micro-batches, finite?, clip, update, check up, log, evaluate,
save, stop.
Evaluation comes before the save, so that whatever a save is followed by has been evaluated already,
and a restart repeats nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from videomae_cli.engine import state as saves
from videomae_cli.engine import window
from videomae_cli.engine.memory import peak_bytes
from videomae_cli.engine.metrics import MetricsLog, Track
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.speed import Speed
from videomae_cli.engine.state import State
from videomae_cli.errors import Stopped, TrainingError

MicroBatch = dict[str, Tensor]
Feed = Callable[[MicroBatch, int, int], dict[str, Tensor]]
"""(micro-batch on the device, step, its number) -> keyword arguments of the model."""


class NotFinite(TrainingError):  # noqa: N818  (a kind of TrainingError)
    """The loss or the gradient is not a number; the optimizer has not moved."""


class Training(NamedTuple):
    """What `fit` works on."""

    model: nn.Module
    """Prepared; its output has a scalar `loss`."""
    optimizer: AcceleratedOptimizer
    """Prepared; every group has a `lr_scale`."""
    batches: Iterable[Iterator[MicroBatch]]
    """Per step, from the step the state stands at: the micro-batches of this rank."""
    feed: Feed
    evaluate: Callable[[int], dict[str, float]] | None
    """Called with the step; returns what to log."""
    check_up: Callable[[int], dict[str, float]] | None = None
    """Called before a line is logged, with the step; returns what to add to it, often nothing."""
    track: Track | None = None
    """Told whatever is logged."""


class Cadence(NamedTuple):
    """How often, in steps."""

    log: int
    save: int
    evaluate: int | None
    keep: int


def fit(
    work: Training,
    plan: Plan,
    cadence: Cadence,
    state: State,
    *,
    runtime: Runtime,
    report: Report,
    run_dir: Path,
    seed: int,
) -> None:
    """Train from where the state stands to the end of the plan.

    Raises:
        NotFinite: The loss or the gradient is not finite; the optimizer has not moved.
        Stopped: A signal asked to stop; everything is saved.
    """
    log = MetricsLog(run_dir / "metrics.jsonl", active=runtime.is_main, track=work.track)
    machine = MetricsLog(run_dir / "speed.jsonl", active=runtime.is_main, track=work.track)
    speed = Speed(machine, plan.batch, lambda: peak_bytes(runtime.device))
    log.rewind(state.step)
    speed.log.rewind(state.step)
    report.start("training", total=plan.steps, done=state.step, unit="step")
    batches = iter(work.batches)
    while state.step < plan.steps:
        step = state.step
        lr = plan.lr(step)
        for group in work.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        with speed.waiting():
            micro_batches = next(batches)
        loss, norm, failed = _step(
            work, micro_batches, plan, step, runtime, speed, seed, state.window
        )
        state.step += 1
        state.failed += failed
        speed.step()
        window.add(state.window, loss=loss, grad_norm=norm)

        last = state.step == plan.steps
        if last or state.step % cadence.log == 0:
            figures = window.close(state.window)
            figures |= work.check_up(state.step) if work.check_up else {}
            log.write(state.step, {"epoch": plan.epoch(state.step), "lr": lr, **figures})
            speed.write(state.step)
            speed.skip()
        report.advance(figures=f"loss {loss:.4f}  {speed.figures()}")
        if work.evaluate and (last or (cadence.evaluate and state.step % cadence.evaluate == 0)):
            figures = work.evaluate(state.step)
            if figures["top1"] >= state.best.get("top1", -1.0):
                state.best = {"step": float(state.step), "top1": figures["top1"]}
            log.write(state.step, {f"val_{name}": value for name, value in figures.items()})
            speed.skip()

        stop = runtime.asked_to_stop()
        if last or stop or state.step % cadence.save == 0:
            _save(work, state, runtime, run_dir, cadence.keep)
            speed.skip()
        if stop and not last:
            report.finish()
            raise _stopped(stop, state.step, plan.steps, run_dir)
    report.finish()


def _step(
    work: Training,
    micro_batches: Iterator[MicroBatch],
    plan: Plan,
    step: int,
    runtime: Runtime,
    speed: Speed,
    seed: int,
    gathered: window.Window,
) -> tuple[float, float, int]:
    """Take one optimizer step; return its loss, gradient norm and number of replaced videos."""
    model, optimizer = work.model, work.optimizer
    model.train()
    runtime.reseed(seed, step)
    loss_sum = torch.zeros((), device=runtime.device)
    failed, indices = 0, []
    for number in range(plan.accumulation):
        with speed.waiting():
            batch = next(micro_batches)
        failed += int(batch["failed"].sum()) if "failed" in batch else 0
        indices += batch["index"].tolist()
        inputs = work.feed(runtime.to_device(batch), step, number)
        with runtime.accumulating(model, last=number == plan.accumulation - 1):
            loss = model(**inputs).loss / plan.accumulation
            runtime.accelerator.backward(loss)
        loss_sum += loss.detach()
    if step % plan.steps_per_epoch == 0:
        window.mark_order(gathered, indices)
    norm = _gradient_norm(work.optimizer, plan.clip_grad, runtime)
    mean_loss, failed_sum = runtime.sum([float(loss_sum) / plan.world, float(failed)])
    _require_finite(mean_loss, norm, step, indices, scaled=runtime.precision == "fp16")
    optimizer.step()
    optimizer.zero_grad()
    return mean_loss, norm, int(failed_sum)


def _gradient_norm(optimizer: AcceleratedOptimizer, limit: float | None, runtime: Runtime) -> float:
    """Return the global gradient norm as it was before clipping to `limit`."""
    runtime.accelerator.unscale_gradients()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if limit is not None:
        return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
    return float(torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


def _require_finite(
    loss: float, norm: float, step: int, indices: list[int], *, scaled: bool
) -> None:
    # fp16: a gradient that overflowed is skipped, and the scale lowered, by the scaler
    if math.isfinite(loss) and (scaled or math.isfinite(norm)):
        return
    raise NotFinite(
        f"step {step}: loss {loss}, gradient norm {norm}; videos {indices[:16]}",
        "weights and earlier saves are untouched; lower optim.base_lr, set optim.clip_grad, or "
        "train in fp32 (--set train.precision=fp32)",
    )


def _save(work: Training, state: State, runtime: Runtime, run_dir: Path, keep: int) -> None:
    state.scaler = runtime.scaler_state()
    model, optimizer = runtime.unwrap(work.model), work.optimizer.optimizer
    runtime.on_main(lambda: saves.save(run_dir / "checkpoints", state, model, optimizer, keep=keep))


def _stopped(number: int, step: int, steps: int, run_dir: Path) -> Stopped:
    return Stopped(
        f"stopped at step {step:,} of {steps:,}; saved in {run_dir}",
        f"go on with: --resume {run_dir}",
        exit_code=130 if number == 2 else 75,
    )

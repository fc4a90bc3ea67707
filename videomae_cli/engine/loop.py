"""The loop, shared by pretraining and fine-tuning. It does not know what a video is.

Its order is: evaluate, save, done?, then a step: wait for data, stop?, rate, micro-batches,
finite?, clip, update, check up, log. What is due after a step comes before the next one, so that a
restart, from whatever save, first does what was still to do, and repeats nothing.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from videomae_cli.engine import window
from videomae_cli.engine.memory import peak_bytes
from videomae_cli.engine.metrics import MetricsLog
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saves import Keep
from videomae_cli.engine.speed import Speed
from videomae_cli.engine.state import State, collect, save
from videomae_cli.engine.step import Stepper, Taken, Training
from videomae_cli.errors import Stopped


class Cadence(NamedTuple):
    """How often, in steps; and how many steps may be skipped."""

    log: int
    save: int
    evaluate: int | None
    keep: Keep
    skips: int = 0
    """Steps without a finite loss or gradient that a run survives."""


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
        NotFinite: More steps than allowed had no finite loss or gradient.
        TrainingError: A failed save.
        Stopped: A signal asked to stop; everything is saved.
    """
    log = MetricsLog(run_dir / "metrics.jsonl", active=runtime.is_main, track=work.track)
    machine = MetricsLog(run_dir / "speed.jsonl", active=runtime.is_main, track=work.track)
    speed = Speed(machine, plan.batch, lambda: peak_bytes(runtime.device))
    log.rewind(state.step, lines=state.lines)
    speed.log.rewind(state.step)
    stepper = Stepper(work, plan, runtime, speed, seed=seed, skips=cadence.skips)
    saved = state.step
    report.start("training", total=plan.steps, done=state.step, unit="step")
    try:
        while True:
            is_best = False
            if state.is_due and work.evaluate is not None:  # a fork may have nothing to validate on
                is_best = _validate(work, state, log, runtime)
                saved = min(saved, state.step - 1)  # a save made before it does not know of it
            is_last = state.step == plan.steps
            if state.step > saved and (is_last or is_best or state.step % cadence.save == 0):
                saved = _save(work, state, log, runtime, run_dir, cadence.keep)
            speed.skip()
            if is_last:
                break
            taken = stepper.take(state, run_dir)
            _note(taken, state, cadence, plan, log, work.check_up)
            if state.step == plan.steps or state.step % cadence.log == 0:
                speed.write(state.step)
            if taken.is_skipped:
                report.warn(
                    f"step {state.step - 1}: loss {taken.loss}, gradient norm {taken.norm}; "
                    f"skipped, {state.skipped} of {cadence.skips} allowed"
                )
            report.advance(figures=f"loss {taken.loss:.4f}  {speed.figures()}")
            state.is_due = work.evaluate is not None and _is_due(state.step, plan, cadence)
    except Stopped as stopped:
        if state.step > saved:
            _save(work, state, log, runtime, run_dir, cadence.keep)
        raise _stopped(stopped.exit_code, state.step, plan.steps, run_dir) from None
    finally:
        report.finish()


def _validate(work: Training, state: State, log: MetricsLog, runtime: Runtime) -> bool:
    """Evaluate and log; tell whether it is the best so far."""
    assert work.evaluate is not None
    model, average = runtime.unwrap(work.model), work.average
    with average.shown(model) if average is not None else nullcontext():
        figures = work.evaluate(state.step)
    is_best = figures["top1"] >= state.best.get("top1", -1.0)
    if is_best:
        state.best = {"step": float(state.step), "top1": figures["top1"]}
    log.write(state.step, {f"val_{name}": value for name, value in figures.items()})
    state.is_due = False
    return is_best


def _is_due(step: int, plan: Plan, cadence: Cadence) -> bool:
    return step == plan.steps or bool(cadence.evaluate and step % cadence.evaluate == 0)


def _note(
    taken: Taken,
    state: State,
    cadence: Cadence,
    plan: Plan,
    log: MetricsLog,
    check_up: Callable[[int], dict[str, float]] | None,
) -> None:
    """Add a step to the running average; write a line now and then, and for a skipped step."""
    if taken.is_skipped:
        log.write(state.step, {"skipped": state.skipped})
    elif math.isfinite(taken.norm):
        window.add(state.window, loss=taken.loss, grad_norm=taken.norm)
    if state.step == plan.steps or state.step % cadence.log == 0:
        lr = plan.lr(state.step - 1)
        figures = {"epoch": plan.epoch(state.step), "lr": lr, **window.close(state.window)}
        log.write(state.step, {**figures, **(check_up(state.step) if check_up else {})})


def _save(
    work: Training, state: State, log: MetricsLog, runtime: Runtime, run_dir: Path, keep: Keep
) -> int:
    """Save; return the step."""
    state.scaler = runtime.scaler_state()
    model, optimizer = runtime.unwrap(work.model), work.optimizer.optimizer
    files = collect(model, optimizer, work.average, here=runtime.is_main)

    def write() -> None:
        log.sync()  # a save never counts lines that a power cut could take
        state.lines = log.lines
        save(run_dir / "checkpoints", state, files, keep=keep)

    runtime.on_main(write)
    return state.step


def _stopped(code: int, step: int, steps: int, run_dir: Path) -> Stopped:
    return Stopped(
        f"stopped at step {step:,} of {steps:,}; saved in {run_dir}",
        f"go on with: --resume {run_dir}",
        exit_code=code,
    )

"""The training loop, shared by all kinds of training; independent of models and data.

Order of one round: validate if due, write a checkpoint if due, leave if finished; then one step,
then log. Validation and checkpoint belong to the step before them, so that a run resumed from any
checkpoint first does what was still to be done after that step, and repeats nothing.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from videomae_cli.engine.logging.metrics import MetricsLog, add_step, pop_averages
from videomae_cli.engine.logging.throughput import Throughput
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState, collect_tensors, write_checkpoint
from videomae_cli.engine.saving.store import Retention
from videomae_cli.engine.step import FitInputs, Stepper, StepResult
from videomae_cli.errors import Stopped
from videomae_cli.report import Report

IsEnough = Callable[[], bool] | None


class Intervals(NamedTuple):
    """Steps between recurring actions, and which checkpoints are kept."""

    log: int
    checkpoint: int
    validate: int | None
    """None: only after the last step."""
    retention: Retention
    nonfinite_budget: int = 0
    """Number of steps without a finite loss or gradient that are skipped before the run stops."""
    is_enough: IsEnough = None
    """Asked after every step, on all processes, which must agree; after the first True the training
    ends, as after the last step of the plan."""


def fit(
    inputs: FitInputs,
    plan: TrainingPlan,
    intervals: Intervals,
    state: TrainingState,
    runtime: Runtime,
    report: Report,
    run_dir: Path,
    seed: int,
) -> None:
    """Train from the step of `state` to the end of the plan; `state` is updated in place.

    Raises:
        NonFiniteError: More steps than allowed had no finite loss or gradient.
        TrainingError: A checkpoint could not be written.
        Stopped: A signal asked to stop; everything is saved.
    """
    loop = _Loop(inputs, plan, intervals, state, runtime, report, run_dir)
    budget = intervals.nonfinite_budget
    stepper = Stepper(inputs, plan, runtime, loop.throughput, seed=seed, budget=budget)
    report.start("training", total=plan.steps, done=state.step, unit="step")
    try:
        while loop.before_step():
            loop.after_step(stepper.take_step(state, run_dir))
    except Stopped as stopped:
        loop.save_if_newer()
        raise Stopped(
            f"stopped at step {state.step:,} of {plan.steps:,}; saved in {run_dir}",
            f"resume with: --resume {run_dir}",
            exit_code=stopped.exit_code,
        ) from None
    finally:
        report.finish()
    if summary := loop.throughput.summary():
        report.say(summary)


@dataclass
class _Loop:
    """Validates, writes checkpoints and logs around the steps."""

    inputs: FitInputs
    plan: TrainingPlan
    intervals: Intervals
    state: TrainingState
    runtime: Runtime
    report: Report
    run_dir: Path

    def __post_init__(self) -> None:
        self.metrics, speed = (
            MetricsLog(self.run_dir / name, active=self.runtime.is_main, callback=self.inputs.track)
            for name in ("metrics.jsonl", "speed.jsonl")
        )
        self.throughput = Throughput(speed, self.plan.batch, self.runtime.device)
        self.metrics.truncate(self.state.step, lines=self.state.lines)
        speed.truncate(self.state.step)
        self._saved_step = self.state.step
        self._is_ended = False

    def before_step(self) -> bool:
        """Validate and save if due; return whether there is another step to take."""
        state, is_best = self.state, False
        if state.is_due and self.inputs.validate is not None:  # a fork may lack validation data
            is_best = self._validate()
            # a checkpoint of this step that exists already lacks this validation; step 0 has none
            self._saved_step = min(self._saved_step, max(state.step - 1, 0))
        is_last = self._is_ended or state.step == self.plan.steps
        if is_last or is_best or state.step % self.intervals.checkpoint == 0:
            self.save_if_newer()
        self.throughput.restart_timer()
        return not is_last

    def after_step(self, result: StepResult) -> None:
        """Log a step and decide whether a validation is due."""
        state, plan, interval = self.state, self.plan, self.intervals.validate
        is_last = state.step == plan.steps
        is_logged = is_last or state.step % self.intervals.log == 0
        self._log(result, is_logged=is_logged)
        if is_logged:
            self.throughput.write(state.step)
        if result.is_skipped:
            self.report.warn(
                f"step {state.step - 1}: loss {result.loss}, gradient norm {result.norm}; "
                f"skipped, {state.skipped} of {self.intervals.nonfinite_budget} allowed"
            )
        self.report.advance(figures=f"loss {result.loss:.4f}  {self.throughput.figures}")
        self._is_ended = self.intervals.is_enough is not None and self.intervals.is_enough()
        is_due = is_last or self._is_ended or bool(interval and state.step % interval == 0)
        state.is_due = self.inputs.validate is not None and is_due

    def save_if_newer(self) -> None:
        """Write a checkpoint unless the state is saved already."""
        state, runtime = self.state, self.runtime
        if state.step <= self._saved_step:
            return
        state.scaler = runtime.scaler_state()
        model, optimizer = runtime.unwrap(self.inputs.model), self.inputs.optimizer.optimizer
        files = collect_tensors(model, optimizer, self.inputs.ema, is_writer=runtime.is_main)

        def write() -> None:
            self.metrics.sync()  # lines counted by a checkpoint must survive a power failure
            state.lines = self.metrics.lines
            write_checkpoint(
                self.run_dir / "checkpoints", state, files, keep=self.intervals.retention
            )

        runtime.run_on_rank0(write)
        self._saved_step = state.step

    def _validate(self) -> bool:
        """Validate or probe, and log; return whether the result is the best so far."""
        state, metric, ema = self.state, self.inputs.metric, self.inputs.ema
        assert self.inputs.validate is not None
        model = self.runtime.unwrap(self.inputs.model)
        began = time.perf_counter()
        with ema.applied_to(model) if ema is not None else nullcontext():
            figures = self.inputs.validate(state.step)
        state.is_due = False
        if metric is None:
            if figures:
                probed = {f"probe_{name}": value for name, value in figures.items()}
                self.metrics.write(state.step, probed)
            self.throughput.write_probe(state.step, time.perf_counter() - began)
            return False
        is_best = metric.is_at_least_as_good(figures[metric.name], state.best.get(metric.name))
        if is_best:
            state.best = {"step": float(state.step), metric.name: figures[metric.name]}
        self.metrics.write(state.step, {f"val_{name}": value for name, value in figures.items()})
        return is_best

    def _log(self, result: StepResult, *, is_logged: bool) -> None:
        """Add a step to the running statistics; write a line if due or if it was skipped."""
        state, plan, probe = self.state, self.plan, self.inputs.probe
        if result.is_skipped:
            self.metrics.write(state.step, {"skipped": state.skipped})
        elif math.isfinite(result.norm):
            add_step(state.window, loss=result.loss, grad_norm=result.norm)
        if is_logged:
            lr = plan.lr(state.step - 1)
            figures = {"epoch": plan.epoch(state.step), "lr": lr, **pop_averages(state.window)}
            probed = {} if probe is None else probe(state.step)
            self.metrics.write(state.step, {**figures, **probed})

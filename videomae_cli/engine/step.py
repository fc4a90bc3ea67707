"""One optimizer step.

Wait for data, stop if asked to, set the learning rate, run the micro-batches forward and backward,
check that loss and gradient are finite, clip the gradient, update the weights.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from videomae_cli.engine.distributed.fsdp import full_tensor
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.logging.metrics import Metric, MetricsCallback, record_order
from videomae_cli.engine.logging.throughput import Throughput
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState
from videomae_cli.errors import Stopped, TrainingError

if TYPE_CHECKING:
    from videomae_cli.engine.ema import EMA


class MicroBatch(Protocol):
    """A NamedTuple of tensors; the loop needs two of its fields."""

    @property
    def indices(self) -> Tensor:
        """Sample numbers, int64 (B,)."""

    @property
    def failed(self) -> Tensor:
        """Number of videos that were replaced for each sample, int64 (B,)."""


PrepareInputs = Callable[[Any, int, int], dict[str, Tensor]]
"""(micro-batch on the device, step, its number in the step) -> keyword arguments of the model."""


class FitInputs(NamedTuple):
    """Everything that `fit` trains and calls."""

    model: nn.Module
    """Prepared by the runtime; its output has a scalar `loss`."""
    optimizer: AcceleratedOptimizer
    """Prepared; every parameter group has an `lr_scale`."""
    batches: Iterable[Iterator[MicroBatch]]
    """For each step, from the current one on: the micro-batches of this rank."""
    prepare: PrepareInputs
    validate: Callable[[int], dict[str, float]] | None
    """Called with the step; returns what to log, or raises `Stopped` on all processes. The names
    get the prefix `val_`, those of probes `probe_`."""
    metric: Metric | None = None
    """Decides which validation is the best; None: they decide nothing, they are probes."""
    ema: "EMA | None" = None
    """Moving average of the weights; it is what `validate` then sees."""
    sample_name: Callable[[int], str] = str
    """Sample number -> its name in messages."""
    probe: Callable[[int], dict[str, float]] | None = None
    """Called with the step before a line is logged; returns what to add to it, often nothing."""
    track: MetricsCallback | None = None
    """Called with every line that is logged."""


class MicroBatchResult(NamedTuple):
    """One micro-batch of a step, after its backward pass."""

    samples: list[int]
    loss: Tensor
    """Scalar, on the device; already divided by the number of micro-batches."""
    failed: int
    """Number of videos that were replaced."""


class StepResult(NamedTuple):
    """The outcome of one step."""

    loss: float
    """Mean over the batch; not finite if the step was skipped."""
    norm: float
    """Gradient norm before clipping; not finite if the step was skipped."""
    failed: int
    is_skipped: bool


class NonFiniteError(TrainingError):
    """Loss or gradient was not finite in more steps than may be skipped; no weight has changed."""


class Stepper:
    """Takes one optimizer step after the other; at most `budget` steps may be skipped."""

    def __init__(
        self,
        inputs: FitInputs,
        plan: TrainingPlan,
        runtime: Runtime,
        throughput: Throughput,
        *,
        seed: int,
        budget: int,
    ) -> None:
        self.inputs, self.plan, self.runtime = inputs, plan, runtime
        self.throughput, self.seed, self.budget = throughput, seed, budget
        self._batches = iter(inputs.batches)

    def take_step(self, state: TrainingState, run_dir: Path) -> StepResult:
        """Take the next step and count it in the state.

        Raises `Stopped` after a signal, and `NonFiniteError` if loss or gradient is not finite and
        no more steps may be skipped; nothing has changed then.
        """
        step, optimizer = state.step, self.inputs.optimizer
        micro_batches = self._wait()
        lr = self.plan.lr(step)
        for group in optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        results = self._accumulate(micro_batches, step)
        if step % self.plan.steps_per_epoch == 0:
            record_order(state.window, [i for part in results for i in part.samples])
        result = self._update(results, step)
        if result.is_skipped and state.skipped >= self.budget:
            from videomae_cli.engine.logging.nonfinite import record_nonfinite_step

            raise record_nonfinite_step(self.inputs, results, result, state, self.runtime, run_dir)
        optimizer.zero_grad()
        state.step += 1
        state.failed += result.failed
        state.skipped += result.is_skipped
        self.throughput.count_step()
        return result

    def _wait(self) -> Iterator[MicroBatch]:
        """Wait for the next step's first micro-batch; return an iterator over all of them."""
        first: list[MicroBatch] = []
        try:
            with self.throughput.measure_wait(), self.runtime.signals.interruptible():
                micro_batches = next(self._batches)
                first.append(next(micro_batches))
        except Interrupted:
            pass
        if number := self.runtime.stop_signal():
            raise Stopped("asked to stop", exit_code=exit_code(number))
        return chain(first, micro_batches)

    def _accumulate(self, micro_batches: Iterator[MicroBatch], step: int) -> list[MicroBatchResult]:
        """Run the micro-batches of a step forward and backward, accumulating gradients."""
        model, runtime, accumulation = self.inputs.model, self.runtime, self.plan.accumulation
        model.train()
        runtime.reseed(self.seed, step)
        results = []
        for number in range(accumulation):
            with self.throughput.measure_wait():
                batch: Any = next(micro_batches)
            failed = int(batch.failed.sum())
            inputs = self.inputs.prepare(runtime.to_device(batch), step, number)
            with runtime.accumulate_gradients(model, is_last=number == accumulation - 1):
                loss = model(**inputs).loss / accumulation
                runtime.accelerator.backward(loss)
            results.append(MicroBatchResult(batch.indices.tolist(), loss.detach(), failed))
        return results

    def _update(self, results: list[MicroBatchResult], step: int) -> StepResult:
        """Update the weights if loss and gradient are finite on all processes."""
        optimizer, runtime = self.inputs.optimizer, self.runtime
        runtime.accelerator.unscale_gradients()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        total = torch.nn.utils.get_total_norm(gradients)
        norm = float(full_tensor(total))
        loss_sum = torch.zeros((), device=runtime.device)
        for part in results:
            loss_sum += part.loss
        failed = float(sum(part.failed for part in results))
        bad = float(not math.isfinite(norm))
        loss, failed, bad = runtime.sum([float(loss_sum) / self.plan.world, failed, bad])
        # fp16: the scaler itself skips a gradient that overflowed, and lowers the scale afterwards
        is_scaled = runtime.precision == "fp16"
        is_skipped = not math.isfinite(loss) or (bool(bad) and not is_scaled)
        if is_skipped:
            runtime.skip_scaler_update()
        else:
            if self.plan.clip_grad is not None and not bad:
                torch.nn.utils.clip_grads_with_norm_(parameters, self.plan.clip_grad, total)
            optimizer.step()
            if self.inputs.ema is not None:
                self.inputs.ema.update(runtime.unwrap(self.inputs.model), step)
        return StepResult(loss, norm, int(failed), is_skipped)

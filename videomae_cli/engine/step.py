"""One optimizer step: wait for data, stop?, rate, micro-batches, finite?, clip, update."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from videomae_cli.engine import window
from videomae_cli.engine.average import Average
from videomae_cli.engine.crash import Micro, crashed
from videomae_cli.engine.metrics import Track
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.sharding import whole
from videomae_cli.engine.signals import Interrupted, exit_code
from videomae_cli.engine.speed import Speed
from videomae_cli.engine.state import State
from videomae_cli.errors import Stopped

MicroBatch = dict[str, Tensor]
Feed = Callable[[MicroBatch, int, int], dict[str, Tensor]]
"""(micro-batch on the device, step, its number) -> keyword arguments of the model."""


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
    """Called with the step; returns what to log, or raises `Stopped` on all processes."""
    average: Average | None = None
    """Of the weights; what `evaluate` then sees."""
    name: Callable[[int], str] = str
    """Sample number -> its name, for people."""
    check_up: Callable[[int], dict[str, float]] | None = None
    """Called before a line is logged, with the step; returns what to add to it, often nothing."""
    track: Track | None = None
    """Told whatever is logged."""


class Taken(NamedTuple):
    """A step that was taken, or skipped."""

    loss: float
    """Mean over the batch; not finite if the step was skipped."""
    norm: float
    """Of the gradient before clipping; not finite if the step was skipped."""
    failed: int
    """Videos that were replaced."""
    is_skipped: bool


class Stepper:
    """Takes one optimizer step after the other.

    Args:
        work: What is trained, on what.
        plan: Rates and micro-batches.
        runtime: Where.
        speed: Told of every wait and every step.
        seed: The run's seed.
        skips: Steps that may be skipped.
    """

    def __init__(
        self, work: Training, plan: Plan, runtime: Runtime, speed: Speed, *, seed: int, skips: int
    ) -> None:
        self.work, self.plan, self.runtime = work, plan, runtime
        self.speed, self.seed, self.skips = speed, seed, skips
        self._batches = iter(work.batches)

    def take(self, state: State, run_dir: Path) -> Taken:
        """Take the next step and count it in the state.

        Raises:
            Stopped: A signal asked to stop; nothing has moved.
            NotFinite: Neither loss nor gradient is finite, and no more steps may be skipped;
                nothing has moved.
        """
        step, optimizer = state.step, self.work.optimizer
        micro_batches = self._wait()
        lr = self.plan.lr(step)
        for group in optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        micros = self._accumulate(micro_batches, step)
        if step % self.plan.steps_per_epoch == 0:
            window.mark_order(state.window, [i for micro in micros for i in micro.samples])
        taken = self._update(micros, step)
        if taken.is_skipped and state.skipped >= self.skips:
            raise crashed(
                self.work.model, micros, taken, state, self.work.name, self.runtime, run_dir
            )
        optimizer.zero_grad()
        state.step += 1
        state.failed += taken.failed
        state.skipped += taken.is_skipped
        self.speed.step()
        return taken

    def _wait(self) -> Iterator[MicroBatch]:
        """Return the next step's micro-batches once the first is there and nobody wants to stop."""
        first: list[MicroBatch] = []
        try:
            with self.speed.waiting(), self.runtime.signals.interruptible():
                micro_batches = next(self._batches)
                first.append(next(micro_batches))
        except Interrupted:
            pass
        if number := self.runtime.asked_to_stop():
            raise Stopped("asked to stop", exit_code=exit_code(number))
        return chain(first, micro_batches)

    def _accumulate(self, micro_batches: Iterator[MicroBatch], step: int) -> list[Micro]:
        """Add up the gradients of a step's micro-batches."""
        model, runtime, accumulation = self.work.model, self.runtime, self.plan.accumulation
        model.train()
        runtime.reseed(self.seed, step)
        micros = []
        for number in range(accumulation):
            with self.speed.waiting():
                batch = next(micro_batches)
            failed = int(batch["failed"].sum()) if "failed" in batch else 0
            inputs = self.work.feed(runtime.to_device(batch), step, number)
            with runtime.accumulating(model, last=number == accumulation - 1):
                loss = model(**inputs).loss / accumulation
                runtime.accelerator.backward(loss)
            micros.append(Micro(batch["index"].tolist(), loss.detach(), failed))
        return micros

    def _update(self, micros: list[Micro], step: int) -> Taken:
        """Move the weights, if loss and gradient are finite on all processes."""
        optimizer, runtime = self.work.optimizer, self.runtime
        runtime.accelerator.unscale_gradients()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        total = torch.nn.utils.get_total_norm(gradients)
        norm = float(whole(total))
        loss_sum = torch.zeros((), device=runtime.device)
        for micro in micros:
            loss_sum += micro.loss
        failed = float(sum(micro.failed for micro in micros))
        bad = float(not math.isfinite(norm))
        loss, failed, bad = runtime.sum([float(loss_sum) / self.plan.world, failed, bad])
        # fp16: a gradient that overflowed is the scaler's to skip, and to lower the scale after
        is_scaled = runtime.precision == "fp16"
        is_skipped = not math.isfinite(loss) or (bool(bad) and not is_scaled)
        if is_skipped:
            runtime.forget_scaled()
        else:
            if self.plan.clip_grad is not None and not bad:
                torch.nn.utils.clip_grads_with_norm_(parameters, self.plan.clip_grad, total)
            optimizer.step()
            if self.work.average is not None:
                self.work.average.update(runtime.unwrap(self.work.model), step)
        return Taken(loss, norm, int(failed), is_skipped)

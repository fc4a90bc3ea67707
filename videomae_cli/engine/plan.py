"""Steps, micro-batches and learning rates of a run, computed from its recipe."""

import math
from typing import NamedTuple

from videomae_cli.config.training import OptimSpec, ScheduleSpec, TrainSpec
from videomae_cli.errors import RecipeError

REFERENCE_BATCH = 256  # recipes state learning rates for this batch size


class TrainingPlan(NamedTuple):
    """Steps, batch sizes and learning rates of a run.

    A step trains on `batch` = `world` * `micro_batch` * `accumulation` videos and on `repeats`
    clips of each. Learning rates are scaled by `batch` / 256, whatever `repeats` is.
    """

    steps: int
    warmup: int
    steps_per_epoch: int
    batch: int
    world: int
    micro_batch: int
    accumulation: int
    peak_lr: float
    floor_lr: float
    start_lr: float
    clip_grad: float | None
    repeats: int = 1

    def lr(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return lr_at(
            step,
            total=self.steps,
            warmup=self.warmup,
            peak=self.peak_lr,
            floor=self.floor_lr,
            start=self.start_lr,
        )

    def epoch(self, step: int) -> float:
        """Return the number of epochs that `step` steps make."""
        return step / self.steps_per_epoch

    def summary(self) -> str:
        """Return the plan as one line."""
        epochs = self.epoch(self.steps)
        repeated = f" x {self.repeats} clips of each video" if self.repeats > 1 else ""
        effective = f", {self.repeats * epochs:.4g} effective epochs" if self.repeats > 1 else ""
        return (
            f"{self.steps:,} steps ({epochs:.4g} epochs of {self.steps_per_epoch:,}{repeated}"
            f"{effective}), "
            f"batch {self.batch} = {self.world} process{'es' if self.world > 1 else ''} "
            f"x micro-batch {self.micro_batch} x accumulation {self.accumulation}, "
            f"peak learning rate {self.peak_lr:.3g}"
        )


def make_training_plan(
    schedule: ScheduleSpec,
    train: TrainSpec,
    optim: OptimSpec,
    *,
    steps_per_epoch: int,
    world: int,
    repeats: int = 1,
) -> TrainingPlan:
    """Return the plan of a run; a `RecipeError` if its batch does not divide, or it has no step."""
    steps, warmup = _count_steps(schedule, steps_per_epoch)
    micro_batch, accumulation = _split_batch(train, world)
    scale = train.batch / REFERENCE_BATCH
    return TrainingPlan(
        steps=steps,
        warmup=warmup,
        steps_per_epoch=steps_per_epoch,
        batch=train.batch,
        world=world,
        micro_batch=micro_batch,
        accumulation=accumulation,
        peak_lr=optim.base_lr * scale,
        floor_lr=optim.min_lr * scale,
        start_lr=optim.warmup_lr * scale,
        clip_grad=optim.clip_grad,
        repeats=repeats,
    )


def share_of(batch: int, world: int) -> int:
    """Return the share of one process of each batch; a `RecipeError` if it does not divide."""
    if batch % world:
        down, up = batch - batch % world, batch + world - batch % world
        raise RecipeError(
            f"train.batch: {batch} clips do not divide among {world} processes",
            f"use another number of devices, or --set train.batch={down or up}",
        )
    return batch // world


def lr_at(
    step: int, *, total: int, warmup: int, peak: float, floor: float, start: float = 0.0
) -> float:
    """Return the learning rate of optimizer step `step`, counted from 0.

    It rises linearly from `start` at step 0 to `peak` at step `warmup - 1`, both exactly. From
    step `warmup` on it falls from `peak` along half a cosine; it would reach `floor` at step
    `total`.

    Source: VideoMAE V1.
    """
    if step < warmup:
        return start + (peak - start) * step / max(warmup - 1, 1)
    if step >= total:
        return floor
    progress = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2


def _count_steps(schedule: ScheduleSpec, steps_per_epoch: int) -> tuple[int, int]:
    """Return the number of steps and of warm-up steps."""
    if schedule.steps is not None and schedule.warmup_steps is not None:
        return schedule.steps, schedule.warmup_steps
    steps = round((schedule.epochs or 0) * steps_per_epoch)
    if steps < 1:
        raise RecipeError(
            f"schedule: {schedule.epochs} epochs of {steps_per_epoch} steps are less than one step",
            "increase schedule.epochs",
        )
    return steps, round((schedule.warmup_epochs or 0) * steps_per_epoch)


def _split_batch(train: TrainSpec, world: int) -> tuple[int, int]:
    """Return the largest micro-batch that divides one process's share, and the accumulation."""
    assert train.micro_batch != "auto", "`resolve_micro_batch` comes before the plan"
    share = share_of(train.batch, world)
    accumulation = -(-share // train.micro_batch)
    while share % accumulation:
        accumulation += 1
    return share // accumulation, accumulation

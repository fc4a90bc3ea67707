"""What a run comes to in numbers: steps, micro-batches, rates."""

from typing import NamedTuple

from videomae_cli.config.training import OptimSpec, ScheduleSpec, TrainSpec
from videomae_cli.engine.schedule import lr_at
from videomae_cli.errors import RecipeError

REFERENCE_BATCH = 256  # the batch at which recipes state their rates


class TrainingPlan(NamedTuple):
    """The arithmetic of a run.

    `batch` = `world` * `micro_batch` * `accumulation` videos per step, each of which gives
    `repeats` clips; rates are per step, scaled by the videos.
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
        """Return the rate of a step, counted from 0."""
        return lr_at(
            step,
            total=self.steps,
            warmup=self.warmup,
            peak=self.peak_lr,
            floor=self.floor_lr,
            start=self.start_lr,
        )

    def epoch(self, step: int) -> float:
        """Return the epochs behind us after `step` steps."""
        return step / self.steps_per_epoch

    def summary(self) -> str:
        """Say it in one line."""
        epochs = self.epoch(self.steps)
        seen = f" x {self.repeats} clips of each video" if self.repeats > 1 else ""
        effective = f", {self.repeats * epochs:.4g} effective epochs" if self.repeats > 1 else ""
        return (
            f"{self.steps:,} steps ({epochs:.4g} epochs of {self.steps_per_epoch:,}{seen}"
            f"{effective}), "
            f"batch {self.batch} = {self.world} process{'es' if self.world > 1 else ''} "
            f"x micro-batch {self.micro_batch} x accumulation {self.accumulation}, "
            f"peak rate {self.peak_lr:.3g}"
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
    """Work out the plan of a run on `world` processes.

    Raises:
        RecipeError: The batch does not divide among the processes, or the run has no step.
    """
    if schedule.steps is not None and schedule.warmup_steps is not None:
        steps, warmup = schedule.steps, schedule.warmup_steps
    else:
        steps = round((schedule.epochs or 0) * steps_per_epoch)
        warmup = round((schedule.warmup_epochs or 0) * steps_per_epoch)
    if steps < 1:
        raise RecipeError(
            f"schedule: {schedule.epochs} epochs of {steps_per_epoch} steps make no step",
            "raise schedule.epochs",
        )
    micro_batch, accumulation = _cut(train, world)
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
    """Return how many clips of each batch a process takes.

    Raises:
        RecipeError: The batch does not divide among the processes.
    """
    if batch % world:
        down, up = batch - batch % world, batch + world - batch % world
        raise RecipeError(
            f"train.batch: {batch} clips do not divide among {world} processes",
            f"take another number of devices, or --set train.batch={down or up}",
        )
    return batch // world


def _cut(train: TrainSpec, world: int) -> tuple[int, int]:
    """Return the largest micro-batch within bounds, and the accumulation it takes."""
    assert train.micro_batch != "auto", "a number is found before a plan is made"
    share = share_of(train.batch, world)
    accumulation = -(-share // train.micro_batch)
    while share % accumulation:
        accumulation += 1
    return share // accumulation, accumulation

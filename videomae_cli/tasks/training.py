"""What pretraining and fine-tuning share: from a model and a data set to a finished `fit`."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from torch import nn

from videomae_cli.data.loader import Order, Share, train_batches
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.workers import Clips, worker_deaths_named
from videomae_cli.engine.average import Average
from videomae_cli.engine.loop import Cadence, fit
from videomae_cli.engine.optim import Group, adamw
from videomae_cli.engine.plan import Plan, make_plan
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saves import Keep
from videomae_cli.engine.sharding import shard
from videomae_cli.engine.state import State, read, restore
from videomae_cli.engine.step import Feed, Training
from videomae_cli.engine.trackers import require_installed, tracking
from videomae_cli.errors import DataError, RecipeError, TrainingError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.layers import Block
from videomae_cli.models.recompute import recompute_blocks
from videomae_cli.tasks import runs
from videomae_cli.tasks.checkup import CLIPS, Checkup, Look, fetch
from videomae_cli.tasks.resume import (
    TrainingRecipe,
    newest_save,
    plant_fork,
    require_same,
    say_differences,
)


class Job(NamedTuple):
    """What is trained, on what."""

    objective: nn.Module
    """Its output has a scalar `loss`."""
    model: Autoencoder | Classifier
    """What is kept of it."""
    groups: list[Group]
    """The optimizer's parameter groups."""
    clips: Clips
    feed: Feed
    evaluate: Callable[[int], dict[str, float]] | None
    identity: dict[str, str]
    """What a resumed run must agree with."""
    look: Look
    """What a check-up looks at."""
    trivial_loss: float | None = None
    """Loss of a guess that has seen no clip; None where `look` gives the targets."""


def open_manifest(recipe: TrainingRecipe) -> Manifest:
    """Read the recipe's prepared data.

    Raises:
        DataError: There is none, with what to prepare and how; or it has no training videos.
    """
    verb = recipe.kind
    if recipe.data is None:
        raise DataError(
            f"this {verb} recipe names no data",
            "prepare your videos, then add --data:\n"
            "  videomae prepare YOUR_VIDEOS --out data/mine\n"
            f"  videomae {verb} --recipe ... --data data/mine",
        )
    if not (recipe.data / "manifest.csv").is_file():
        raise DataError(
            f"{recipe.data} holds no prepared videos",
            f"prepare them first, from a folder of class folders, a CSV or a list:\n"
            f"  videomae prepare YOUR_VIDEOS --out {recipe.data}\n"
            "or point --data at a folder that `videomae prepare` has written",
        )
    manifest = read_manifest(recipe.data)
    if not manifest.split("train"):
        raise DataError(f"{recipe.data}: no training videos", "prepare data with a train split")
    return manifest


def plan_for(recipe: TrainingRecipe, videos: int, world: int) -> tuple[Order, Plan]:
    """Return the order of so many training videos and the arithmetic of the run."""
    order = Order(videos, recipe.train.batch, recipe.seed)
    plan = make_plan(
        recipe.schedule,
        recipe.train,
        recipe.optim,
        steps_per_epoch=order.steps_per_epoch,
        world=world,
        repeats=recipe.augment.repeats,
    )
    return order, plan


def train(
    job: Job,
    recipe: TrainingRecipe,
    run_dir: Path,
    *,
    order: Order,
    plan: Plan,
    runtime: Runtime,
    report: Report,
    limit: int | None = None,
) -> State:
    """Train from the newest save in `run_dir`, else from the start; return where it ended.

    The objective then holds the weights to write: the last step's, or their average. A `limit` ends
    the run at that step, while data are read ahead as if it went on.

    Raises:
        RecipeError: A tracker that is not installed.
        TrainingError: Loss not finite; a resume that would be another run; a failed save.
        Stopped: A signal asked to stop; everything is saved.
    """
    require_installed(recipe.train.track)
    optim = recipe.optim
    objective = job.objective.to(runtime.device)
    if recipe.train.recompute:
        recompute_blocks(objective)
    if recipe.train.compile:
        objective.compile()
    groups = _sharded(job, recipe, runtime, report) if recipe.train.shard else job.groups
    optimizer = adamw(groups, betas=optim.betas, eps=optim.eps)
    model, optimizer = runtime.prepare(objective, optimizer, is_sharded=recipe.train.shard)
    inside = runtime.unwrap(model)
    average = Average(inside, recipe.train.ema) if recipe.train.ema else None
    state = State(identity=job.identity)
    save = runtime.on_main(
        lambda: newest_save(run_dir, report) or plant_fork(run_dir, job.identity, report)
    )
    if save is not None:
        state = read(save)
        require_same(state.identity, job.identity, save)
        restore(save, inside, optimizer.optimizer, average)
        runtime.load_scaler(state.scaler)
        say_differences(state, runtime.world, runs.software(), report)
        report.say(f"going on from {save}")
    if state.step > plan.steps:
        raise TrainingError(
            f"{save} is beyond the {plan.steps:,} steps of this run", "train longer"
        )
    is_finished = state.step == plan.steps  # then nothing is decoded or described anew
    if not is_finished:
        runtime.on_main(lambda: runs.describe(run_dir, recipe))
    state.world, state.software = runtime.world, runs.software()
    batches = train_batches(
        job.clips,
        order,
        Share(plan.micro_batch, plan.accumulation, runtime.rank, runtime.world),
        start_step=state.step,
        stop_step=plan.steps,
        workers=worker_count(recipe.train.workers, runtime),
        pin_memory=runtime.device.type == "cuda",
    )
    trackers = recipe.train.track if runtime.is_main else ()
    settings = recipe.model_dump(mode="json")
    # a sharded model is looked through by all
    looks = (runtime.is_main or recipe.train.shard) and not is_finished
    with (
        closing(batches),
        worker_deaths_named(),
        tracking(trackers, run_dir, settings, step=state.step) as track,
    ):
        work = Training(
            model,
            optimizer,
            batches,
            job.feed,
            job.evaluate,
            average=average,
            name=lambda index: str(job.clips.path(index)),
            check_up=_check_up(job, recipe, plan, order, runtime) if looks else None,
            track=track,
        )
        fit(
            work,
            plan if limit is None else plan._replace(steps=limit),
            _cadence(recipe, plan),
            state,
            runtime=runtime,
            report=report,
            run_dir=run_dir,
            seed=recipe.seed,
        )
    if average is not None:
        average.show(inside)
    return state


def _sharded(job: Job, recipe: TrainingRecipe, runtime: Runtime, report: Report) -> list[Group]:
    """Split the model over the processes; return the optimizer's groups over its parts."""
    if runtime.world == 1:
        report.say("train.shard: one process, so nothing to split")
        return job.groups
    if runtime.precision == "fp16":
        raise RecipeError(
            "train.shard: fp16, which train.precision: auto comes to here, cannot be sharded",
            "--set train.precision=fp32",
        )
    blocks = [module for module in job.model.modules() if isinstance(module, Block)]
    return shard(job.model, blocks, job.groups, device=runtime.device, world=runtime.world)


def _check_up(
    job: Job, recipe: TrainingRecipe, plan: Plan, order: Order, runtime: Runtime
) -> Checkup:
    workers = worker_count(recipe.train.workers, runtime)
    return Checkup(
        fetch(job.clips, order.step_samples(0)[:CLIPS], workers=workers),
        job.look,
        job.objective,
        clip=recipe.clip,
        plan=plan,
        runtime=runtime,
        log_every=recipe.train.log_every_steps,
        trivial_loss=job.trivial_loss,
    )


def worker_count(wanted: int | str, runtime: Runtime) -> int:
    """Return the decoding processes per training process.

    `auto` shares out this machine's cores: it leaves one per process to a GPU's driver, and half of
    them to a CPU's own work.
    """
    if isinstance(wanted, int):
        return wanted
    cores = max(1, (os.cpu_count() or 1) // runtime.local_world)
    return max(1, cores // 2 if runtime.device.type == "cpu" else min(cores - 1, 16))


def _cadence(recipe: TrainingRecipe, plan: Plan) -> Cadence:
    every = recipe.eval.every_epochs if recipe.kind == "finetune" else None
    return Cadence(
        log=recipe.train.log_every_steps,
        save=recipe.train.save_every_steps,
        evaluate=max(1, round(every * plan.steps_per_epoch)) if every else None,
        keep=Keep(recipe.train.keep, recipe.train.keep_every_steps),
        skips=recipe.train.nonfinite_budget,
    )

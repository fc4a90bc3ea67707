"""Train a job: what pretraining and fine-tuning share."""

from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from videomae_cli.data.loader import Share, load_train_batches
from videomae_cli.data.workers import Clips, explain_worker_death
from videomae_cli.engine import environment
from videomae_cli.engine.distributed.fsdp import shard
from videomae_cli.engine.logging.metrics import MetricsCallback
from videomae_cli.engine.loop import Intervals, IsEnough, fit
from videomae_cli.engine.optim import Group, adamw
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState, read_state, restore_tensors
from videomae_cli.engine.saving.store import Retention
from videomae_cli.engine.step import FitInputs
from videomae_cli.errors import RecipeError, TrainingError
from videomae_cli.models.transformer.layers import Block
from videomae_cli.report import Report
from videomae_cli.tasks.diagnose.probe_batch import CLIPS, ProbeBatch, read_clips
from videomae_cli.tasks.run_dir import QUARANTINE, RECIPE, RunDir
from videomae_cli.tasks.train.job import Job
from videomae_cli.tasks.train.resume import (
    checkpoint_to_continue,
    report_differences,
    require_same_identity,
)


def train(
    job: Job, run_dir: RunDir, runtime: Runtime, report: Report, *, is_enough: IsEnough = None
) -> TrainingState:
    """Train a job from where its run stands to the end; called by all processes.

    Afterwards `job.model` has the weights to keep: those of the last step, or their average.
    `is_enough` may end the training earlier, see `Intervals`; data are read ahead as if it went on.

    Raises:
        RecipeError: A tracker is not installed, or fp16 is to be sharded.
        TrainingError: The loss is not finite, a resume would change numbers, or writing failed.
        Stopped: A signal asked to stop; everything is saved.
    """
    inputs = _prepare(job, runtime, report)
    state = _restore(job, inputs, run_dir, runtime, report)
    is_finished = state.step == job.plan.steps  # then no data are read, and the recipe is kept
    if not (is_finished and (run_dir.path / RECIPE).is_file()):
        runtime.run_on_rank0(lambda: run_dir.write_recipe(job.recipe))
    plan, clips = job.plan, _watch(job, run_dir)
    batches = load_train_batches(
        clips,
        job.order,
        Share(plan.micro_batch, plan.accumulation, runtime.rank, runtime.world),
        start_step=state.step,
        stop_step=plan.steps,
        workers=runtime.worker_count(job.recipe.train.workers),
        pin_memory=runtime.device.type == "cuda",
    )
    with closing(batches), explain_worker_death(), _trackers(job, run_dir, runtime, state) as track:
        probe = None if is_finished else _probe(job, clips, runtime)
        inputs = inputs._replace(batches=batches, probe=probe, track=track)
        times = _intervals(job)._replace(is_enough=is_enough)
        if job.is_probed and state.step == 0:
            state.is_due = True  # later probes are compared with that of the first weights
        fit(inputs, plan, times, state, runtime, report, run_dir.path, job.recipe.seed)
    if inputs.ema is not None:
        inputs.ema.copy_to(runtime.unwrap(inputs.model))
    return state


def _prepare(job: Job, runtime: Runtime, report: Report) -> FitInputs:
    """Put the model on its device and make the optimizer; the data come later."""
    recipe = job.recipe
    if recipe.train.track:
        from videomae_cli.engine.logging.trackers import require_installed

        require_installed(recipe.train.track)
    objective = job.objective.to(runtime.device)
    if recipe.train.recompute:
        from videomae_cli.models.transformer.activation_checkpointing import checkpoint_activations

        checkpoint_activations(objective, recipe.train.recompute)
    if recipe.train.compile:
        objective.compile()
    groups = _shard(job, runtime, report) if recipe.train.shard else job.groups
    optimizer = adamw(groups, betas=recipe.optim.betas, eps=recipe.optim.eps)
    model, optimizer = runtime.prepare(objective, optimizer, is_sharded=recipe.train.shard)
    ema = None
    if recipe.train.ema:
        from videomae_cli.engine.ema import EMA  # few recipes average the weights

        ema = EMA(runtime.unwrap(model), recipe.train.ema)
    return FitInputs(
        model,
        optimizer,
        batches=(),
        prepare=job.prepare,
        validate=job.validate,
        metric=job.metric,
        ema=ema,
        sample_name=lambda index: str(job.clips.path(index)),
    )


def _restore(
    job: Job, inputs: FitInputs, run_dir: RunDir, runtime: Runtime, report: Report
) -> TrainingState:
    """Bring model and optimizer to where the run stands; see `checkpoint_to_continue`."""
    state, software = TrainingState(identity=job.identity), environment.software()
    checkpoint: Path | None = runtime.run_on_rank0(
        lambda: checkpoint_to_continue(run_dir, job.identity, report)
    )
    if checkpoint is not None:
        state = read_state(checkpoint)
        require_same_identity(state.identity, job.identity, checkpoint)
        model = runtime.unwrap(inputs.model)
        restore_tensors(checkpoint, model, inputs.optimizer.optimizer, inputs.ema)
        runtime.load_scaler(state.scaler)
        report_differences(state, runtime.world, software, report)
        report.say(f"resuming from {checkpoint}")
    if state.step > job.plan.steps:
        raise TrainingError(
            f"{checkpoint} is beyond the {job.plan.steps:,} steps of this run", "train longer"
        )
    state.world, state.software = runtime.world, software
    return state


def _shard(job: Job, runtime: Runtime, report: Report) -> list[Group]:
    """Shard the model over the processes; return the parameter groups of the shards."""
    if runtime.world == 1:
        report.say("train.shard: only one process, so nothing is sharded")
        return job.groups
    if runtime.precision == "fp16":
        raise RecipeError(
            "train.shard does not support fp16"
            f" (train.precision: {job.recipe.train.precision} resolved to fp16 on this GPU)",
            "--set train.precision=fp32",
        )
    blocks = [module for module in job.model.modules() if isinstance(module, Block)]
    return shard(job.model, blocks, job.groups, device=runtime.device, world=runtime.world)


def _watch(job: Job, run_dir: RunDir) -> Clips:
    """Return the clips of a job; files that hang their decoder are left out."""
    from videomae_cli.data.watchdog.watchdog import Watchdog, WatchedClips

    return WatchedClips(
        job.clips, Watchdog(job.recipe.train.decode_seconds, run_dir.path / QUARANTINE)
    )


def _probe(job: Job, clips: Clips, runtime: Runtime) -> ProbeBatch | None:
    """Return the probe of rank 0; a sharded model needs all processes for it."""
    train = job.recipe.train
    if not (runtime.is_main or train.shard):
        return None
    workers = runtime.worker_count(train.workers)
    return ProbeBatch(
        read_clips(clips, job.order.step_samples(0)[:CLIPS], workers=workers),
        job.probe,
        job.objective,
        clip=job.recipe.clip,
        plan=job.plan,
        runtime=runtime,
        log_every=train.log_every_steps,
        trivial_loss=job.trivial_loss,
    )


def _trackers(
    job: Job, run_dir: RunDir, runtime: Runtime, state: TrainingState
) -> AbstractContextManager[MetricsCallback | None]:
    names = job.recipe.train.track if runtime.is_main else ()
    if not names:
        return nullcontext()
    from videomae_cli.engine.logging.trackers import open_trackers

    return open_trackers(names, run_dir.path, job.recipe.model_dump(mode="json"), step=state.step)


def _intervals(job: Job) -> Intervals:
    train, every = job.recipe.train, job.validate_every_epochs
    return Intervals(
        log=train.log_every_steps,
        checkpoint=train.save_every_steps,
        validate=max(1, round(every * job.plan.steps_per_epoch)) if every else None,
        retention=Retention(train.keep, train.keep_every_steps),
        nonfinite_budget=train.nonfinite_budget,
    )

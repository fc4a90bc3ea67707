"""`--dry-run`: what a run will take, measured by taking its first steps.

Everything is built as the run builds it, from the same recipe and data, and `train` itself takes a
few steps in a directory that is removed again. So step time, peak memory and the size of a save are
those of the run. What is left out: the decoded videos that small data sets keep in memory from the
second epoch on, other programs on this machine, and stops on the way.
"""

import math
import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.dataset import Batch
from videomae_cli.data.loader import Order, each_video
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.state import read
from videomae_cli.engine.trackers import require_installed
from videomae_cli.errors import DataError
from videomae_cli.masking.content import Content
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.cost import forward_cost
from videomae_cli.tasks import finetune, pretrain
from videomae_cli.tasks.checkup import fetch
from videomae_cli.tasks.first_steps import Taken, take_steps, with_train
from videomae_cli.tasks.forecast import Data, Disk, Forecast, Tokens
from videomae_cli.tasks.made_up import MadeUpClips
from videomae_cli.tasks.mixing import require_pairs
from videomae_cli.tasks.quiet import Quiet
from videomae_cli.tasks.resume import TrainingRecipe, newest_save
from videomae_cli.tasks.training import Job, open_manifest, plan_for, worker_count

DECODE_SECONDS = 5.0
VALIDATED = 8  # videos
BACKWARD = 3  # a forward and a backward pass, in forward passes


class Setting(NamedTuple):
    """What is measured on."""

    recipe: TrainingRecipe
    """With a number for its micro-batch."""
    job: Job
    order: Order
    plan: Plan
    videos: Manifest | None


def run(
    recipe: TrainingRecipe,
    run_dir: Path,
    report: Report,
    *,
    standing: Path | None = None,
    price_per_hour: float | None = None,
    without_data: bool = False,
) -> Forecast:
    """Measure a run's first steps and say what all of them will take.

    Args:
        recipe: The resolved recipe.
        run_dir: Where the run would be, or is; nothing is left there.
        report: Who is told.
        standing: The run that it would go on from, if any.
        price_per_hour: Of all devices together.
        without_data: Make clips up if a pretraining recipe's data are not there.

    Raises:
        VideoMAEError: Whatever the run itself would raise by then.
    """
    require_installed(recipe.train.track)
    quiet = Quiet(report)
    with Runtime(recipe.train.precision) as runtime:
        setting = _set_up(recipe, standing, runtime, report, without_data=without_data)
        done = _steps_done(standing, report)
        forecast = _measure(setting, runtime, quiet, run_dir, done, price_per_hour)
    report.table(f"dry run of {recipe.kind}", ("what", "measured"), forecast.rows())
    for note in forecast.notes():
        report.warn(note)
    return forecast


def _set_up(
    recipe: TrainingRecipe,
    standing: Path | None,
    runtime: Runtime,
    report: Report,
    *,
    without_data: bool,
) -> Setting:
    quiet = Quiet(report)
    if isinstance(recipe, FinetuneRecipe):
        manifest = open_manifest(recipe)
        classes = finetune.labelled_classes(manifest, recipe)
        recipe = finetune.settled(
            recipe, manifest, classes, standing, runtime=runtime, report=report
        )
        order, plan = plan_for(recipe, len(manifest.split("train")), runtime.world)
        require_pairs(recipe, plan)
        few = manifest._replace(
            videos=(*manifest.split("train"), *manifest.split("val")[:VALIDATED])
        )
        job, _ = finetune.assemble(recipe, few, classes, runtime, quiet)
        return Setting(recipe, job, order, plan, manifest)
    try:
        found: Manifest | None = open_manifest(recipe)
    except DataError:
        if not without_data:
            raise
        found = None
    recipe = pretrain.settled(recipe, standing, runtime, report)
    if found is None:
        recipe = with_train(recipe, workers=0)
        clips = MadeUpClips(recipe, recipe.train.batch)
        order, plan = plan_for(recipe, recipe.train.batch, runtime.world)
        job, _ = pretrain.assemble(recipe, clips, {})
        return Setting(recipe, job, order, plan, None)
    order, plan = plan_for(recipe, len(found.split("train")), runtime.world)
    real = pretrain.training_clips(recipe, found.split("train"), found.root)
    job, _ = pretrain.assemble(recipe, real, {})
    return Setting(recipe, job, order, plan, found)


def _measure(
    setting: Setting,
    runtime: Runtime,
    report: Report,
    run_dir: Path,
    done: int,
    price_per_hour: float | None,
) -> Forecast:
    recipe, plan, job = setting.recipe, setting.plan, setting.job
    beside = next(path for path in (run_dir, *run_dir.absolute().parents) if path.is_dir())
    data = _decoding(setting, recipe, runtime)
    first = setting.order.step_samples(0)[:1]
    batch = fetch(job.clips, first, workers=0 if data is None else 1)
    batch = {key: value[:1].to(runtime.device) for key, value in batch.items()}
    model = job.model.to(runtime.device).eval()
    cost = forward_cost(model, batch["clip"], batch["noise"])
    tokens, forward_seconds = _tokens(model, batch)
    expected = BACKWARD * forward_seconds * plan.micro_batch * plan.repeats
    taken = take_steps(
        job,
        recipe,
        runtime,
        report,
        order=setting.order,
        plan=plan,
        beside=beside,
        expected=expected,
    )
    is_open_ended = setting.videos is None and recipe.schedule.steps is None
    left = None if is_open_ended else max(0, plan.steps - done)
    validations = _validations(recipe, plan, left or 0) if taken.validation_seconds else 0
    share = len(setting.videos.split("val")) / VALIDATED if setting.videos else 0.0
    return Forecast(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        executed=cost.executed,
        published=cost.published,
        tokens=tokens,
        plan=plan,
        machine=runtime.summary(),
        step_seconds=taken.micro_seconds * plan.accumulation,
        measured_steps=taken.measured,
        data_wait=taken.data_wait,
        data=data,
        peak_bytes=taken.peak_bytes,
        steps_left=left,
        save_seconds=taken.save_seconds,
        saves=math.ceil((left or 0) / recipe.train.save_every_steps),
        validation_seconds=taken.validation_seconds * max(1.0, share),
        validations=validations,
        disk=_disk(recipe, plan, taken, shutil.disk_usage(beside).free),
        price_per_hour=price_per_hour,
    )


def _tokens(model: Autoencoder | Classifier, batch: Batch) -> tuple[Tokens, float]:
    """Count a clip's tokens; return seconds of a forward pass of one clip too."""
    clip_BCTHW, noise = batch["clip"], batch["noise"]
    with torch.no_grad():
        began = time.perf_counter()
        output = model(clip_BCTHW, noise)
        if isinstance(model, Autoencoder):
            mask = output.mask
            tokens = Tokens(model.grid.tokens, *(x.shape[1] for x in mask[:2]))
        else:
            tokens = Tokens(model.encoder.grid.tokens, model.encoder.grid.tokens, None)
        float(output.loss if isinstance(model, Autoencoder) else output.sum())
        elapsed = time.perf_counter() - began
        if isinstance(model, Classifier) and model.selector is not None:
            content = Content(model.cut(clip_BCTHW, noise), model.encoder.embed)
            tokens = tokens._replace(visible=model.selector(content).shape[1])
    return tokens, elapsed


def _decoding(setting: Setting, recipe: TrainingRecipe, runtime: Runtime) -> Data | None:
    """Read clips as training does, for a few seconds and without training on them."""
    if setting.videos is None:
        return None
    workers = worker_count(recipe.train.workers, runtime)
    ahead = max(1, workers)  # the first of each worker arrive together
    times: list[float] = []
    samples = setting.order.step_samples(0) + setting.order.step_samples(1)
    for _ in each_video(setting.job.clips, samples, workers=workers):
        times.append(time.perf_counter())
        if times[-1] - times[0] > DECODE_SECONDS and len(times) > 2 * ahead:
            break
    first = min(ahead, len(times) - 1) - 1
    rate = (len(times) - 1 - max(0, first)) / max(1e-9, times[-1] - times[max(0, first)])
    cores = (os.cpu_count() or 1) // runtime.world
    spare = max(0, cores - 1 - workers) if runtime.device.type != "cpu" else 0
    sides = [min(video.width, video.height) for video in setting.videos.split("train")]
    return Data(rate * setting.plan.repeats, workers, spare, round(median(sides)), recipe.clip.size)


def _disk(recipe: TrainingRecipe, plan: Plan, taken: Taken, free: int) -> Disk:
    saves = math.ceil(plan.steps / recipe.train.save_every_steps)
    every = recipe.train.keep_every_steps
    for_good = plan.steps // every if every else 0
    best = int(isinstance(recipe, FinetuneRecipe))
    kept = min(saves, recipe.train.keep + for_good + best)
    return Disk(taken.checkpoint_bytes, kept, taken.final_bytes, free)


def _validations(recipe: TrainingRecipe, plan: Plan, left: int) -> int:
    every = recipe.eval.every_epochs if isinstance(recipe, FinetuneRecipe) else None
    return math.ceil(left / max(1, round(every * plan.steps_per_epoch))) if every else 1


def _steps_done(run_dir: Path | None, report: Report) -> int:
    save = None if run_dir is None else newest_save(run_dir, report)
    return 0 if save is None else read(save).step

"""`--dry-run`: estimate time, memory, disk space and cost of a run from its first steps.

The job is built as the run builds it, and `train` itself takes a few steps in a temporary
directory. Not covered: decoded videos that small data sets keep in memory from the second epoch on,
other programs on this machine, and interruptions.
"""

import math
import os
import shutil
import time
from functools import partial
from pathlib import Path
from statistics import median

import torch

from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe, with_train
from videomae_cli.data.batches import AnyBatch
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.logging.trackers import require_installed
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import read_state
from videomae_cli.errors import DataError
from videomae_cli.masking.clip_content import Content
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.macs import count_macs
from videomae_cli.report import ProgressOnly, Report
from videomae_cli.tasks.diagnose.probe_batch import read_clips
from videomae_cli.tasks.dry_run.estimate import Decoding, Disk, Estimate, Tokens
from videomae_cli.tasks.dry_run.measure import Measurement, measure_steps
from videomae_cli.tasks.dry_run.steadiness import has_enough_clips
from videomae_cli.tasks.dry_run.synthetic_clips import SyntheticClips, synthetic_manifest
from videomae_cli.tasks.dry_run.validations import (
    VALIDATION_VIDEOS,
    add_feature_probe,
    count_validations,
    validation_factor,
)
from videomae_cli.tasks.run_dir import newest_complete_checkpoint
from videomae_cli.tasks.train import finetune, pretrain
from videomae_cli.tasks.train.job import Job, open_manifest, resolve_clip
from videomae_cli.tasks.train.micro_batch import resolve_micro_batch

TRAINING_COST = 3  # a forward and a backward pass, in forward passes
PROBE_COST = 1  # the same with a frozen encoder


def run(
    recipe: Recipe,
    run_dir: Path,
    report: Report,
    *,
    resume: Path | None = None,
    price_per_hour: float | None = None,
    without_data: bool = False,
) -> Estimate:
    """Measure the first steps of a run and estimate the whole of it; nothing is left in `run_dir`.

    The price is that of all devices together. `without_data` allows synthetic clips if the data of
    a pretraining recipe do not exist. Raises whatever the run itself would raise by then.
    """
    require_installed(recipe.train.track)
    with Runtime(recipe.train.precision) as runtime:
        job, videos = _build(recipe, resume, runtime, report, without_data=without_data)
        job, factor = add_feature_probe(job, runtime, report)
        checkpoint = None if resume is None else newest_complete_checkpoint(resume, report)
        steps_done = 0 if checkpoint is None else read_state(checkpoint).step
        estimate = _estimate(
            job, videos, runtime, ProgressOnly(report), run_dir, steps_done, price_per_hour
        )
        more = validation_factor(videos) if factor is None else factor
        estimate = estimate._replace(validation_seconds=more * estimate.validation_seconds)
    report.table(f"dry run of {recipe.kind}", ("what", "measured"), list(estimate.rows()))
    for note in estimate.notes():
        report.warn(note)
    return estimate


def _build(
    recipe: Recipe,
    resume: Path | None,
    runtime: Runtime,
    report: Report,
    *,
    without_data: bool,
) -> tuple[Job, Manifest | None]:
    """Build the job of the run, with few validation videos; return it with its data, if any."""
    if isinstance(recipe, FinetuneRecipe):
        manifest = open_manifest(recipe)
        recipe = resolve_clip(recipe, manifest, report)
        train, val = manifest.split("train"), manifest.split("val")
        few = manifest._replace(videos=(*train, *val[:VALIDATION_VIDEOS]))
        build = partial(finetune.build_from_scratch, manifest=few, runtime=runtime)
        recipe = resolve_micro_batch(recipe, resume, runtime, report, build)
        return finetune.build_job(recipe, few, runtime, ProgressOnly(report)), manifest
    try:
        videos = open_manifest(recipe)
    except DataError:
        if not without_data:
            raise
        videos, recipe = None, with_train(recipe, workers=0)
        recipe = recipe.model_copy(update={"clip": recipe.clip.without_measured()})
    if videos is not None:
        recipe = resolve_clip(recipe, videos, report)
    scratch = recipe.model_copy(update={"start": None})
    build_pretraining = partial(
        _build_pretraining, videos=videos, runtime=runtime, report=ProgressOnly(report)
    )
    micro_batch = resolve_micro_batch(scratch, resume, runtime, report, build_pretraining).train
    return build_pretraining(recipe.model_copy(update={"train": micro_batch})), videos


def _build_pretraining(
    recipe: PretrainRecipe, videos: Manifest | None, runtime: Runtime, report: Report
) -> Job:
    if videos is not None:
        return pretrain.build_job(recipe, videos, runtime, report)
    job = pretrain.build_job(recipe, synthetic_manifest(recipe), runtime, report)
    return job._replace(clips=SyntheticClips(recipe))


def _estimate(
    job: Job,
    videos: Manifest | None,
    runtime: Runtime,
    report: Report,
    run_dir: Path,
    steps_done: int,
    price_per_hour: float | None,
) -> Estimate:
    recipe, plan = job.recipe, job.plan
    beside = next(path for path in (run_dir, *run_dir.absolute().parents) if path.is_dir())
    decoding = None if videos is None else _measure_decoding(job, videos, runtime)
    model = job.model.to(runtime.device).eval()
    batch = _one_clip(job, runtime, workers=0 if videos is None else 1)
    cost = count_macs(model, batch.clip, batch.noise)
    tokens, forward_seconds = _count_tokens(model, batch)
    expected = _expect_seconds(job, forward_seconds)
    measured = measure_steps(job, runtime, report, beside=beside, expected=expected)
    left = _count_steps_left(job, videos, steps_done)
    return Estimate(
        parameters=sum(p.numel() for p in model.parameters()),
        executed=cost.executed,
        published=cost.published,
        tokens=tokens,
        plan=plan,
        machine=runtime.summary(),
        step_seconds=measured.micro_seconds * plan.accumulation,
        measured=measured.steps,
        data_wait=measured.data_wait,
        data=decoding,
        peak_bytes=measured.peak_bytes,
        steps_left=left,
        save_seconds=measured.save_seconds,
        saves=math.ceil((left or 0) / recipe.train.save_every_steps),
        validation_seconds=measured.validation_seconds,
        validations=count_validations(job, left or 0, steps_done),
        disk=_disk(job, measured, shutil.disk_usage(beside).free),
        price_per_hour=price_per_hour,
        trained_parameters=sum(p.numel() for group in job.groups for p in group["params"]),
    )


def _count_steps_left(job: Job, videos: Manifest | None, steps_done: int) -> int | None:
    """Return the steps to the end; None if the schedule counts epochs of unknown videos."""
    is_open_ended = videos is None and job.recipe.schedule.steps is None
    return None if is_open_ended else max(0, job.plan.steps - steps_done)


def _expect_seconds(job: Job, forward_seconds: float) -> float:
    """Return the expected seconds of a micro-batch, from those of one clip's forward pass."""
    recipe, plan = job.recipe, job.plan
    is_probe = recipe.kind == "finetune" and recipe.model.frozen
    cost = PROBE_COST if is_probe else TRAINING_COST
    return cost * forward_seconds * plan.micro_batch * plan.repeats


def _one_clip(job: Job, runtime: Runtime, *, workers: int) -> AnyBatch:
    batch = read_clips(job.clips, job.order.step_samples(0)[:1], workers=workers)
    one: AnyBatch = runtime.to_device(type(batch)(*(tensor[:1] for tensor in batch)))
    return one


def _count_tokens(model: Autoencoder | Classifier, batch: AnyBatch) -> tuple[Tokens, float]:
    """Return the tokens of one clip, and the seconds of its forward pass."""
    with torch.no_grad():
        began = time.perf_counter()
        output = model(batch.clip, batch.noise)
        if isinstance(model, Autoencoder):
            mask = output.mask
            tokens = Tokens(model.grid.tokens, *(x.shape[1] for x in mask[:2]))
        else:
            tokens = Tokens(model.encoder.grid.tokens, model.encoder.grid.tokens, None)
        float(output.loss if isinstance(model, Autoencoder) else output.sum())  # wait for the GPU
        elapsed = time.perf_counter() - began
        if isinstance(model, Classifier) and model.selector is not None:
            content = Content(model.cut(batch.clip, batch.noise), model.encoder.embed)
            tokens = tokens._replace(visible=model.selector(content).shape[1])
    return tokens, elapsed


def _measure_decoding(job: Job, videos: Manifest, runtime: Runtime) -> Decoding:
    """Read clips as training does, for a few seconds and without training on them."""
    workers = runtime.worker_count(job.recipe.train.workers)
    ahead = max(1, workers)  # the first clips of all workers arrive together
    times: list[float] = []
    samples = job.order.step_samples(0) + job.order.step_samples(1)
    for _ in load_each(job.clips, samples, workers=workers):
        times.append(time.perf_counter())
        if has_enough_clips(times, ahead):
            break
    first = max(0, min(ahead, len(times) - 1) - 1)
    rate = (len(times) - 1 - first) / max(1e-9, times[-1] - times[first])
    cores = (os.cpu_count() or 1) // runtime.world
    spare = max(0, cores - 1 - workers) if runtime.device.type != "cpu" else 0
    sides = [min(video.width, video.height) for video in videos.split("train")]
    clip = job.recipe.clip
    size = min(clip.height, clip.width)
    return Decoding(rate * job.plan.repeats, workers, spare, round(median(sides)), size)


def _disk(job: Job, measured: Measurement, free: int) -> Disk:
    train, steps = job.recipe.train, job.plan.steps
    permanent = steps // train.keep_every_steps if train.keep_every_steps else 0
    best = int(job.metric is not None)
    kept = min(math.ceil(steps / train.save_every_steps), train.keep + permanent + best)
    return Disk(measured.checkpoint_bytes, kept, measured.final_bytes, free)

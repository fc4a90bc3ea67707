"""Validations of a fine-tuning, and probes of a pretraining, in the estimate of a dry run."""

import math

from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.runtime import Runtime
from videomae_cli.report import ProgressOnly, Report, Silence
from videomae_cli.tasks.train import pretrain
from videomae_cli.tasks.train.job import Job

VALIDATION_VIDEOS = 8
PROBE_VIDEOS = 32  # of each split


def add_feature_probe(job: Job, runtime: Runtime, report: Report) -> tuple[Job, float | None]:
    """Return the job with probes on few videos, if its recipe has any.

    The second value is how many times more videos a probe of the run has; None without probes.

    Raises:
        DataError: Features cannot be probed on `eval.probe_data`.
    """
    recipe = job.recipe
    if not isinstance(recipe, PretrainRecipe) or not recipe.eval.probe_every_epochs:
        return job, None
    count = min(PROBE_VIDEOS, recipe.eval.probe_videos)
    few = recipe.eval.model_copy(update={"probe_videos": count})
    everything = pretrain.open_probe_data(recipe, report)
    part = pretrain.open_probe_data(recipe.model_copy(update={"eval": few}), Silence())
    assert everything is not None and part is not None
    job = pretrain.add_feature_probe(job, part, runtime, ProgressOnly(report))
    return job, len(everything.videos) / len(part.videos)


def validation_factor(videos: Manifest | None) -> float:
    """Return how many times more videos a validation has than were measured."""
    return max(1.0, len(videos.split("val")) / VALIDATION_VIDEOS) if videos else 1.0


def count_validations(job: Job, steps_left: int, steps_done: int) -> int:
    """Return the validations or probes to the end of a run; a probe precedes the first step."""
    if job.validate is None:
        return 0
    every, first = job.validate_every_epochs, int(job.is_probed and not steps_done)
    count = math.ceil(steps_left / max(1, round(every * job.plan.steps_per_epoch))) if every else 1
    return count + first

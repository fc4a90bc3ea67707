"""`videomae pretrain`: train a masked autoencoder on prepared videos, without labels."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from videomae_cli.config.model_config import ModelConfig, autoencoder_config
from videomae_cli.config.schema import SCRATCH, PretrainRecipe
from videomae_cli.data.batches import PretrainBatch
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.engine.runtime import Runtime
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import build_autoencoder
from videomae_cli.report import Report, Silence
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.diagnose.probe_batch import autoencoder_probe
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train.job import (
    Job,
    open_manifest,
    plan_training,
    resolve_clip,
)
from videomae_cli.tasks.train.resume import check_recipe, identity, list_decoders
from videomae_cli.tasks.train.train import train

if TYPE_CHECKING:  # few runs are probed
    from videomae_cli.tasks.probe.samples import LabelledVideos


def run(recipe: PretrainRecipe, path: Path, report: Report, fork_of: Path | None = None) -> Path:
    """Pretrain, or resume: a run in `path` continues from its newest complete checkpoint.

    With `fork_of`, it continues from the newest checkpoint of that other run. Returns the directory
    of the final weights.

    Raises:
        CheckpointError: The pretrained weights do not fit.
        DataError: There are no prepared data where the recipe says, or `clip.short` refuses them;
            features cannot be probed on `eval.probe_data`.
        RecipeError: The batch does not divide, or is larger than the data.
        TrainingError: The loss is not finite; a resume would change numbers; a file could not be
            written; the directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    from videomae_cli.tasks.diagnose.report import diagnose_at_end

    manifest = open_manifest(recipe)
    recipe = resolve_clip(recipe, manifest, report)
    labelled = open_probe_data(recipe, report)
    with Runtime(recipe.train.precision) as runtime, RunDir(path, runtime, fork_of) as run_dir:
        if recipe.train.micro_batch == "auto":
            from videomae_cli.tasks.train.micro_batch import resolve_micro_batch

            build = partial(build_from_scratch, manifest=manifest, runtime=runtime)
            recipe = resolve_micro_batch(recipe, run_dir.path, runtime, report, build)
        runtime.run_on_rank0(lambda: check_recipe(run_dir, recipe, report))
        job = build_job(recipe, manifest, runtime, report)
        job = add_feature_probe(job, labelled, runtime, report)
        report.say(f"run directory {run_dir.path}")
        report.say(f"{runtime.summary()}; {job.plan.summary()}")
        with diagnose_at_end(run_dir.path, recipe, runtime, report):
            state = train(job, run_dir, runtime, report)
        final = run_dir.write_final(job.model, job.config, state)
    report.say(f"wrote {final}")
    return final


def build_job(recipe: PretrainRecipe, manifest: Manifest, runtime: Runtime, report: Report) -> Job:
    """Build everything that is trained, from freshly drawn weights or those of `recipe.start`.

    Raises:
        CheckpointError: The pretrained weights do not fit.
        DataError: There are fewer videos than one batch.
        RecipeError: The batch does not divide among the processes, or the mask is impossible.
    """
    videos = manifest.split("train")
    order, plan = plan_training(recipe, len(videos), runtime)
    torch.manual_seed(stream_seed(recipe.seed, "init"))
    model, config, init = _autoencoder(recipe, report)
    return Job(
        recipe=recipe,
        objective=model,
        model=model,
        config=config,
        groups=parameter_groups(
            model,
            weight_decay=recipe.optim.weight_decay,
            tokens_decay=recipe.model.positions == "separable",  # as in MAE-ST
        ),
        clips=_training_clips(recipe, manifest),
        order=order,
        plan=plan,
        prepare=_prepare,
        probe=autoencoder_probe(model),
        identity=identity(
            recipe,
            data=manifest.digest,
            decoders=list_decoders(manifest),
            precision=runtime.precision,
            init=init,
        ),
    )


def build_from_scratch(recipe: PretrainRecipe, manifest: Manifest, runtime: Runtime) -> Job:
    """Build the job without pretrained weights: as large, and as slow."""
    fresh = recipe.model_copy(update={"start": None})
    return build_job(fresh, manifest, runtime, report=Silence())


def open_probe_data(recipe: PretrainRecipe, report: Report) -> "LabelledVideos | None":
    """Return the labelled videos of the probes; None if the recipe has no probes.

    Raises a `DataError` if features cannot be probed on them.
    """
    if not recipe.eval.probe_every_epochs:
        return None
    from videomae_cli.tasks.probe.pretraining import open_labelled

    return open_labelled(recipe.eval, recipe.clip, report)


def add_feature_probe(
    job: Job, labelled: "LabelledVideos | None", runtime: Runtime, report: Report
) -> Job:
    """Return the job with probes of its features, if there are labelled videos for them."""
    if labelled is None:
        return job
    from videomae_cli.tasks.probe.pretraining import FeatureProbe

    assert isinstance(job.recipe, PretrainRecipe) and isinstance(job.model, Autoencoder)
    spec = job.recipe.eval
    probe = FeatureProbe(
        *(job.model, job.recipe.clip, labelled),
        kind=spec.probe_kind,
        runtime=runtime,
        report=report,
    )
    return job._replace(validate=probe, validate_every_epochs=spec.probe_every_epochs)


def _autoencoder(recipe: PretrainRecipe, report: Report) -> tuple[Autoencoder, ModelConfig, str]:
    """Return the model, its configuration, and the digest of the weights it starts from."""
    config = autoencoder_config(recipe).model_copy(update={"data": str(recipe.data)})
    model = build_autoencoder(config, drop_path=recipe.model.drop_path, rules=recipe.model.init)
    if recipe.start in (None, SCRATCH):
        return model, config, ""
    from videomae_cli.tasks.train.start import start_from_checkpoint  # knows all formats

    return model, *start_from_checkpoint(recipe.start, model, config, report)


def _training_clips(recipe: PretrainRecipe, manifest: Manifest) -> PretrainClips:
    return PretrainClips(
        manifest.split("train"),
        manifest.root,
        recipe.clip.candidates(),
        recipe.augment,
        recipe.seed,
        manifest.times,
    )


def _prepare(batch: PretrainBatch, step: int, number: int) -> dict[str, Tensor]:
    return {"clip_BCTHW": batch.clip, "noise_B2N": batch.noise}

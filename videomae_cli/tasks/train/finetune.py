"""`videomae finetune`: train a classifier on labelled videos, from a pretrained encoder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from videomae_cli.checkpoints.hints import Hints
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.schema import SCRATCH, FinetuneRecipe
from videomae_cli.data.dataset import FinetuneClips
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.engine.optim import Group, parameter_groups
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.models.build import build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report, Silence
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.diagnose.probe_batch import classifier_probe
from videomae_cli.tasks.load_model import init_from_pretrained, read_checkpoint
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train.job import Job, open_manifest, plan_training, resolve_clip
from videomae_cli.tasks.train.mixup import MixedBatches, require_pairs
from videomae_cli.tasks.train.objectives import Objective, make_targets
from videomae_cli.tasks.train.resume import check_recipe, identity, list_decoders
from videomae_cli.tasks.train.start import freeze_encoder, inherit_origin, report_start
from videomae_cli.tasks.train.task_check import require_validation_classes, resolve_task
from videomae_cli.tasks.train.train import train
from videomae_cli.tasks.train.validation import METRICS, describe_best, make_validation


def run(recipe: FinetuneRecipe, path: Path, report: Report, fork_of: Path | None = None) -> Path:
    """Fine-tune, or resume: a run in `path` continues from its newest complete checkpoint.

    With `fork_of`, it continues from the newest checkpoint of that other run. Returns the directory
    of the final weights.

    Raises:
        DataError: There are no prepared data where the recipe says, they have no labels, or
            `clip.short` refuses them.
        CheckpointError: The pretrained weights do not fit.
        RecipeError: The batch does not divide, or is larger than the data; the recipe is for
            another task than the data.
        TrainingError: The loss is not finite; a resume would change numbers; a file could not be
            written; the directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    from videomae_cli.tasks.diagnose.report import diagnose_at_end

    manifest = open_manifest(recipe)
    recipe = resolve_task(recipe, manifest)  # refuses before anything is written
    recipe = resolve_clip(recipe, manifest, report)
    require_validation_classes(manifest)
    with Runtime(recipe.train.precision) as runtime, RunDir(path, runtime, fork_of) as run_dir:
        if recipe.train.micro_batch == "auto":
            from videomae_cli.tasks.train.micro_batch import resolve_micro_batch

            build = partial(build_from_scratch, manifest=manifest, runtime=runtime)
            recipe = resolve_micro_batch(recipe, run_dir.path, runtime, report, build)
        runtime.run_on_rank0(lambda: check_recipe(run_dir, recipe, report))
        job = build_job(recipe, manifest, runtime, report)
        report.say(f"run directory {run_dir.path}")
        report.say(f"{runtime.summary()}; {job.plan.summary()}")
        with diagnose_at_end(run_dir.path, recipe, runtime, report):
            state = train(job, run_dir, runtime, report)
        final = run_dir.write_final(job.model, job.config, state)
    if state.best:
        weights = "averaged weights" if recipe.train.ema else "weights of the last step"
        report.say(f"{describe_best(state.best, manifest.task)}; final/ has the {weights}")
    report.say(f"wrote {final}")
    return final


def build_job(recipe: FinetuneRecipe, manifest: Manifest, runtime: Runtime, report: Report) -> Job:
    """Build everything that is trained, from the weights that the recipe starts from.

    Raises what `resolve_task`, `class_weights`, `target_statistics`, `plan_training`,
    `require_pairs` and `init_from_pretrained` raise.
    """
    recipe, task = resolve_task(recipe, manifest), manifest.task
    targets = make_targets(recipe, manifest)
    order, plan = plan_training(recipe, len(targets.videos), runtime)
    require_pairs(recipe, plan)
    torch.manual_seed(stream_seed(recipe.seed, "init"))
    classifier, config, init = _classifier(recipe, targets.config, report)
    if recipe.model.frozen:
        freeze_encoder(classifier, report)
    return Job(
        recipe=recipe,
        objective=Objective(classifier, task, targets.weights),
        model=classifier,
        config=config.model_copy(update={"data": str(recipe.data)}),
        groups=_parameter_groups(recipe, classifier, config),
        clips=_training_clips(recipe, manifest, targets.videos),
        order=order,
        plan=plan,
        prepare=MixedBatches(
            recipe, len(config.classes or ()), rank=runtime.rank, task=task
        ).prepare,
        probe=classifier_probe(classifier),
        identity=identity(
            recipe,
            data=manifest.digest,
            decoders=list_decoders(manifest),
            precision=runtime.precision,
            init=init,
        ),
        validate=make_validation(classifier, config, manifest, runtime, report),
        metric=METRICS[task],
        validate_every_epochs=recipe.eval.every_epochs,
        trivial_loss=targets.trivial_loss,
    )


def build_from_scratch(recipe: FinetuneRecipe, manifest: Manifest, runtime: Runtime) -> Job:
    """Build the job without its pretrained weights: as large, and as slow."""
    return build_job(
        recipe.model_copy(update={"start": SCRATCH}), manifest, runtime, report=Silence()
    )


def _training_clips(
    recipe: FinetuneRecipe, manifest: Manifest, videos: Sequence[Video]
) -> FinetuneClips:
    return FinetuneClips(
        videos,
        manifest.root,
        recipe.clip.candidates(),
        recipe.augment,
        recipe.seed,
        manifest.times,
    )


def _parameter_groups(
    recipe: FinetuneRecipe, classifier: Classifier, config: ModelConfig
) -> list[Group]:
    return parameter_groups(
        classifier,
        weight_decay=recipe.optim.weight_decay,
        layer_decay=recipe.optim.layer_decay,
        depth=config.encoder.depth,
    )


def _classifier(
    recipe: FinetuneRecipe, config: ModelConfig, report: Report
) -> tuple[Classifier, ModelConfig, str]:
    """Return the classifier, its configuration, and the digest of the weights it starts from."""
    model, start = recipe.model, recipe.start
    classifier = build_classifier(
        config,
        drop_path=model.drop_path,
        head_dropout=model.head_dropout,
        head_scale=model.head_scale,
    )
    if start is None or start == SCRATCH:
        report.say("training from scratch: no pretrained weights")
        return classifier, config, ""
    loaded = read_checkpoint(Path(start), Hints(heads=config.encoder.heads, is_guess=True))
    weights, load_report = init_from_pretrained(loaded, classifier, config, norm=model.norm)
    report_start(start, loaded, load_report, report)
    if reason := load_report.dropped.get("head.weight"):
        report.say(f"the head is drawn afresh: the checkpoint has {reason}")
    return classifier, inherit_origin(config, start, loaded), digest_of(weights)

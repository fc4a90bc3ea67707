"""`videomae finetune`: train a classifier on labelled videos, from a pretrained encoder."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.checkpoints.hints import Hints
from videomae_cli.config.model_config import ModelConfig, classifier_config
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.schema import SCRATCH, FinetuneRecipe
from videomae_cli.data.dataset import FinetuneClips
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.engine import environment
from videomae_cli.engine.distributed.fsdp import gather_weights
from videomae_cli.engine.logging.metrics import Metric
from videomae_cli.engine.optim import Group, parameter_groups
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.engine.step import NonFiniteError
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.models.build import build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report, Silence
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.diagnose.probe_batch import class_frequency_loss, classifier_probe
from videomae_cli.tasks.diagnose.report import diagnose_at_end
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos
from videomae_cli.tasks.load_model import init_from_pretrained, read_checkpoint
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train.job import Job, open_manifest, plan_training, report_short_videos
from videomae_cli.tasks.train.micro_batch import resolve_micro_batch
from videomae_cli.tasks.train.mixup import MixedBatches, require_pairs
from videomae_cli.tasks.train.resume import check_recipe, identity
from videomae_cli.tasks.train.start import freeze_encoder, inherit_origin, report_start
from videomae_cli.tasks.train.train import train

TOP1 = Metric("top1")
MAX_NAMED = 8


class Loss(NamedTuple):
    """Output of the objective."""

    loss: Tensor


class Objective(nn.Module):
    """A classifier with its training loss: soft-target cross entropy, in float32."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, clip_BCTHW: Tensor, noise_Bc: Tensor, target_BK: Tensor) -> Loss:
        """Return the cross entropy of the logits with target probabilities."""
        return Loss(F.cross_entropy(self.classifier(clip_BCTHW, noise_Bc).float(), target_BK))


def run(recipe: FinetuneRecipe, path: Path, report: Report, fork_of: Path | None = None) -> Path:
    """Fine-tune, or resume: a run in `path` continues from its newest complete checkpoint.

    With `fork_of`, it continues from the newest checkpoint of that other run. Returns the directory
    of the final weights.

    Raises:
        DataError: There are no prepared data where the recipe says, they have no labels, or
            `clip.short` refuses them.
        CheckpointError: The pretrained weights do not fit.
        RecipeError: The batch does not divide, or is larger than the data.
        TrainingError: The loss is not finite; a resume would change numbers; a file could not be
            written; the directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    manifest = open_manifest(recipe)
    class_names(manifest, recipe)  # refuse unlabelled data before anything is written
    report_short_videos(recipe, manifest, report)
    with Runtime(recipe.train.precision) as runtime, RunDir(path, runtime, fork_of) as run_dir:
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
        report.say(
            f"best validation top-1 {100 * state.best['top1']:.1f} % "
            f"at step {state.best['step']:,.0f}; final/ has the {weights}"
        )
    report.say(f"wrote {final}")
    return final


def build_job(recipe: FinetuneRecipe, manifest: Manifest, runtime: Runtime, report: Report) -> Job:
    """Build everything that is trained, from the weights that the recipe starts from.

    Raises what `class_names`, `plan_training`, `require_pairs` and `init_from_pretrained` raise.
    """
    classes = class_names(manifest, recipe)
    videos = manifest.split("train")
    labels = [video.label for video in videos if video.label is not None]
    order, plan = plan_training(recipe, len(videos), runtime)
    require_pairs(recipe, plan)
    torch.manual_seed(stream_seed(recipe.seed, "init"))
    classifier, config, init = _classifier(recipe, classes, report)
    if recipe.model.frozen:
        freeze_encoder(classifier, report)
    return Job(
        recipe=recipe,
        objective=Objective(classifier),
        model=classifier,
        config=config.model_copy(update={"data": str(recipe.data)}),
        groups=_parameter_groups(recipe, classifier, config),
        clips=_training_clips(recipe, manifest),
        order=order,
        plan=plan,
        prepare=MixedBatches(recipe, len(classes), rank=runtime.rank).prepare,
        probe=classifier_probe(classifier),
        identity=identity(
            recipe,
            data=manifest.digest,
            decoders=environment.decoders(),
            precision=runtime.precision,
            init=init,
        ),
        validate=_validation(recipe, manifest, classifier, runtime, report),
        metric=TOP1,
        validate_every_epochs=recipe.eval.every_epochs,
        # of predicting the class frequencies of the training videos
        trivial_loss=class_frequency_loss(labels, len(classes), recipe.augment.smoothing),
    )


def build_from_scratch(recipe: FinetuneRecipe, manifest: Manifest, runtime: Runtime) -> Job:
    """Build the job without its pretrained weights: as large, and as slow."""
    return build_job(
        recipe.model_copy(update={"start": SCRATCH}), manifest, runtime, report=Silence()
    )


def class_names(manifest: Manifest, recipe: FinetuneRecipe) -> tuple[str, ...]:
    """Return the class names by label; a `DataError` if a training video has none."""
    if manifest.classes is None or any(v.label is None for v in manifest.split("train")):
        raise DataError(
            f"{recipe.data}: the training videos have no labels",
            "prepare a folder of class folders, or a list with labels",
        )
    return manifest.classes


def _training_clips(recipe: FinetuneRecipe, manifest: Manifest) -> FinetuneClips:
    return FinetuneClips(
        manifest.split("train"),
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
    recipe: FinetuneRecipe, classes: tuple[str, ...], report: Report
) -> tuple[Classifier, ModelConfig, str]:
    """Return the classifier, its configuration, and the digest of the weights it starts from."""
    model, start = recipe.model, recipe.start
    config = classifier_config(recipe, classes)
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
    return classifier, inherit_origin(config, start, loaded), digest_of(weights)


def _validation(
    recipe: FinetuneRecipe,
    manifest: Manifest,
    classifier: Classifier,
    runtime: Runtime,
    report: Report,
) -> Callable[[int], dict[str, float]] | None:
    """Return a function that scores one centre view of every validation video.

    It raises a `NonFiniteError` if no video gets finite probabilities.
    """
    videos = manifest.split("val")
    if not videos:
        return None

    views = make_views(manifest, "val", recipe.clip, Protocol(clips=1, crops=1))

    def validate(step: int) -> dict[str, float]:
        with gather_weights(classifier):
            scores = score_videos(
                classifier,
                manifest,
                "val",
                views,
                runtime=runtime,
                report=Silence(),
            )
        return _measure(scores, videos, step, report)

    return validate


def _measure(
    scores: Scores, videos: Sequence[Video], step: int, report: Report
) -> dict[str, float]:
    """Return the metrics of a validation, and warn of videos without finite probabilities."""
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        failure = NonFiniteError(f"step {step:,}: validation: {error.message}", error.hint)
        failure.is_shared = True  # all processes have the same scores
        raise failure from error
    if len(scores.nonfinite):
        paths = ", ".join(videos[index].path for index in scores.nonfinite[:MAX_NAMED])
        report.warn(
            f"step {step:,}: validation: the outputs for {len(scores.nonfinite):,} of"
            f" {len(scores.labels):,} videos are not finite; counted as wrong: {paths}"
        )
    return metrics

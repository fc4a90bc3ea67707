"""`videomae finetune`: from a pretrained encoder and labelled videos to a classifier."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.checkpoints.files import write_native
from videomae_cli.checkpoints.infer import Hints
from videomae_cli.config.card import Card
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.dataset import FinetuneClips
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.engine.report import Report, Silence
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.sharding import collected, gathered
from videomae_cli.engine.state import digest
from videomae_cli.errors import DataError
from videomae_cli.models.classifier import Classifier
from videomae_cli.rng import stream_seed
from videomae_cli.tasks import runs
from videomae_cli.tasks.build import adopt, build_classifier, read_checkpoint
from videomae_cli.tasks.cards import card_for_finetune
from videomae_cli.tasks.checkup import label_guess_loss, look_at_classifier
from videomae_cli.tasks.evaluate import score
from videomae_cli.tasks.micro_batch import settle
from videomae_cli.tasks.mixing import Mixing, require_pairs
from videomae_cli.tasks.resume import identity
from videomae_cli.tasks.run_report import concluded
from videomae_cli.tasks.scores import Protocol
from videomae_cli.tasks.training import Job, open_manifest, plan_for, train

SCRATCH = "scratch"


class Loss(NamedTuple):
    """What the objective returns."""

    loss: Tensor


class Objective(nn.Module):
    """A classifier with its training loss: soft-target cross entropy, in float32.

    Args:
        classifier: What is trained.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, clip_BCTHW: Tensor, noise_Bc: Tensor, target_BK: Tensor) -> Loss:
        """Compare the logits with class probabilities."""
        return Loss(F.cross_entropy(self.classifier(clip_BCTHW, noise_Bc).float(), target_BK))


def run(recipe: FinetuneRecipe, run_dir: Path, report: Report, parent: Path | None = None) -> Path:
    """Fine-tune, going on from the newest save in `run_dir` if there is one; return `final/`.

    Args:
        recipe: The resolved recipe; `start` names the pretrained weights, or `scratch`.
        run_dir: Where everything goes.
        report: Who is told.
        parent: A run to fork: go on from its newest save, in `run_dir`.

    Raises:
        DataError: No prepared data, or none labelled.
        CheckpointError: The weights do not fit.
        RecipeError: The batch does not divide, or is larger than the data; no micro-batch is given
            and the system does not tell what memory is used.
        TrainingError: No micro-batch fits; loss not finite; a resume that would be another run; a
            failed save; the directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    manifest = open_manifest(recipe)
    classes = labelled_classes(manifest, recipe)
    with Runtime(recipe.train.precision) as runtime, ExitStack() as held:
        run_dir = runtime.agree(run_dir)
        recipe = settled(recipe, manifest, classes, run_dir, runtime=runtime, report=report)
        order, plan = plan_for(recipe, len(manifest.split("train")), runtime.world)
        require_pairs(recipe, plan)
        runtime.on_main(lambda: held.enter_context(runs.opened(run_dir, recipe, report, parent)))
        report.say(f"run directory {run_dir}")
        report.say(f"{runtime.summary()}; {plan.summary()}")
        job, card = assemble(recipe, manifest, classes, runtime, report)
        with concluded(run_dir, recipe, runtime, report):
            state = train(
                job, recipe, run_dir, order=order, plan=plan, runtime=runtime, report=report
            )
        final = run_dir / "final"
        made = {"step": state.step, "data": str(recipe.data), "software": runs.software()}
        weights = collected(job.model.state_dict(), here=runtime.is_main)
        runtime.on_main(lambda: write_native(final, weights, card.model_copy(update=made)))
    if state.best:
        report.say(
            f"best validation top-1 {100 * state.best['top1']:.1f} % "
            f"at step {state.best['step']:,.0f}; {_held(recipe)} are in final/"
        )
    report.say(f"wrote {final}")
    return final


def settled(
    recipe: FinetuneRecipe,
    manifest: Manifest,
    classes: tuple[str, ...],
    run_dir: Path | None,
    *,
    runtime: Runtime,
    report: Report,
) -> FinetuneRecipe:
    """Return the recipe with a number for its micro-batch; see `tasks/micro_batch.py`."""
    scratch = recipe.model_copy(update={"start": SCRATCH})  # other weights take as much memory

    def make() -> Job:
        return assemble(scratch, manifest, classes, runtime, Silence())[0]

    return settle(recipe, run_dir, runtime, report, make)


def assemble(
    recipe: FinetuneRecipe,
    manifest: Manifest,
    classes: tuple[str, ...],
    runtime: Runtime,
    report: Report,
) -> tuple[Job, Card]:
    """Put together what is trained, from where the recipe starts, and describe it.

    Raises:
        CheckpointError: The weights do not fit.
    """
    torch.manual_seed(stream_seed(recipe.seed, "init"))
    classifier, card, init = _classifier(recipe, classes, report)
    job = Job(
        objective=Objective(classifier),
        model=classifier,
        groups=parameter_groups(
            classifier,
            weight_decay=recipe.optim.weight_decay,
            layer_decay=recipe.optim.layer_decay,
            depth=card.encoder.depth,
        ),
        clips=FinetuneClips(
            manifest.split("train"),
            manifest.root,
            recipe.clip.candidates(),
            recipe.augment,
            recipe.seed,
        ),
        feed=Mixing(recipe, len(classes), rank=runtime.rank).feed,
        evaluate=_validation(recipe, manifest, classifier, runtime),
        identity=identity(
            recipe,
            data=manifest.digest,
            decoders=runs.decoders(),
            precision=runtime.precision,
            init=init,
        ),
        look=look_at_classifier(classifier),
        trivial_loss=_guess_loss(recipe, manifest, len(classes)),
    )
    return job, card


def _held(recipe: FinetuneRecipe) -> str:
    return "the averaged weights" if recipe.train.ema else "the last step's weights"


def labelled_classes(manifest: Manifest, recipe: FinetuneRecipe) -> tuple[str, ...]:
    """Return the class names by label.

    Raises:
        DataError: There are none, or a training video has no label.
    """
    if manifest.classes is None or any(v.label is None for v in manifest.split("train")):
        raise DataError(
            f"{recipe.data}: the training videos have no labels",
            "prepare a folder of class folders, or a list with labels",
        )
    return manifest.classes


def _guess_loss(recipe: FinetuneRecipe, manifest: Manifest, classes: int) -> float:
    labels = [video.label for video in manifest.split("train") if video.label is not None]
    return label_guess_loss(labels, classes, recipe.augment.smoothing)


def _classifier(
    recipe: FinetuneRecipe, classes: tuple[str, ...], report: Report
) -> tuple[Classifier, Card, str]:
    """Build the classifier; return it with its card and a description of where it started."""
    model, start = recipe.model, recipe.start
    card = card_for_finetune(recipe, classes)
    classifier = build_classifier(
        card,
        drop_path=model.drop_path,
        head_dropout=model.head_dropout,
        head_scale=model.head_scale,
    )
    if start is None or start == SCRATCH:
        report.say("starting from scratch: no pretrained weights")
        return classifier, card, ""
    loaded = read_checkpoint(Path(start), Hints(heads=card.encoder.heads, is_guess=True))
    weights, fate = adopt(loaded, classifier, card, norm=model.norm)
    report.say(f"starting from {start}: {fate.summary()}")
    for change, count in fate.changes():
        report.say(f"{count} tensor{'s' if count > 1 else ''} fitted to this recipe: {change}")
    for sentence in fate.assumed:
        report.say(f"assumed: {sentence}")
    for trap in filter(None, (*fate.traps, loaded.warning)):
        report.warn(trap)
    origin = (*loaded.card.derived_from, f"{start} ({loaded.card.kind}, {loaded.format})")
    made = card.model_copy(update={"license": loaded.card.license, "derived_from": origin})
    return classifier, made, digest(weights)


def _validation(
    recipe: FinetuneRecipe, manifest: Manifest, classifier: Classifier, runtime: Runtime
) -> Callable[[int], dict[str, float]] | None:
    """Return a function that scores one centre view of every validation video."""
    if not manifest.split("val"):
        return None

    def evaluate(step: int) -> dict[str, float]:
        with gathered(classifier):
            scores = score(
                classifier,
                manifest,
                "val",
                recipe.clip,
                Protocol(1, 1),
                runtime=runtime,
                report=Silence(),
            )
        return scores.metrics()

    return evaluate

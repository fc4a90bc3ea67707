"""`videomae pretrain`: from a recipe and prepared videos to an encoder that has seen no label."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from videomae_cli.checkpoints.files import write_native
from videomae_cli.config.card import Card
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.manifest import Video
from videomae_cli.data.workers import Clips
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.sharding import collected
from videomae_cli.rng import stream_seed
from videomae_cli.tasks import runs
from videomae_cli.tasks.build import build_autoencoder
from videomae_cli.tasks.cards import card_for_pretrain
from videomae_cli.tasks.checkup import look_at_autoencoder
from videomae_cli.tasks.made_up import MadeUpClips
from videomae_cli.tasks.micro_batch import settle
from videomae_cli.tasks.resume import identity
from videomae_cli.tasks.run_report import concluded
from videomae_cli.tasks.training import Job, open_manifest, plan_for, train


def run(recipe: PretrainRecipe, run_dir: Path, report: Report, parent: Path | None = None) -> Path:
    """Pretrain, going on from the newest save in `run_dir` if there is one; return `final/`.

    Args:
        recipe: The resolved recipe.
        run_dir: Where everything goes.
        report: Who is told.
        parent: A run to fork: go on from its newest save, in `run_dir`.

    Raises:
        DataError: No prepared data where the recipe says.
        RecipeError: The batch does not divide, or is larger than the data; no micro-batch is given
            and the system does not tell what memory is used.
        TrainingError: No micro-batch fits; loss not finite; a resume that would be another run; a
            failed save; the directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    manifest = open_manifest(recipe)
    with Runtime(recipe.train.precision) as runtime, ExitStack() as held:
        run_dir = runtime.agree(run_dir)
        recipe = settled(recipe, run_dir, runtime, report)
        order, plan = plan_for(recipe, len(manifest.split("train")), runtime.world)
        runtime.on_main(lambda: held.enter_context(runs.opened(run_dir, recipe, report, parent)))
        report.say(f"run directory {run_dir}")
        report.say(f"{runtime.summary()}; {plan.summary()}")
        clips = training_clips(recipe, manifest.split("train"), manifest.root)
        made_of = identity(
            recipe, data=manifest.digest, decoders=runs.decoders(), precision=runtime.precision
        )
        job, card = assemble(recipe, clips, made_of)
        with concluded(run_dir, recipe, runtime, report):
            state = train(
                job, recipe, run_dir, order=order, plan=plan, runtime=runtime, report=report
            )
        final = run_dir / "final"
        made = {"step": state.step, "data": str(recipe.data), "software": runs.software()}
        weights = collected(job.model.state_dict(), here=runtime.is_main)
        runtime.on_main(lambda: write_native(final, weights, card.model_copy(update=made)))
    report.say(f"wrote {final}")
    return final


def settled(
    recipe: PretrainRecipe, run_dir: Path | None, runtime: Runtime, report: Report
) -> PretrainRecipe:
    """Return the recipe with a number for its micro-batch; see `tasks/micro_batch.py`."""

    def make() -> Job:
        return assemble(recipe, MadeUpClips(recipe, recipe.train.batch), {})[0]

    return settle(recipe, run_dir, runtime, report, make)


def training_clips(recipe: PretrainRecipe, videos: Sequence[Video], root: Path) -> PretrainClips:
    """Return the clips of some videos, varied as the recipe says."""
    clip = recipe.clip.candidates()
    return PretrainClips(videos, root, clip, recipe.augment, recipe.seed)


def assemble(recipe: PretrainRecipe, clips: Clips, identity: dict[str, str]) -> tuple[Job, Card]:
    """Put together what is trained, from freshly drawn weights, and describe it.

    Args:
        recipe: The resolved recipe.
        clips: What it is trained on.
        identity: What a resumed run must agree with.
    """
    torch.manual_seed(stream_seed(recipe.seed, "init"))
    card = card_for_pretrain(recipe)
    model = build_autoencoder(card, drop_path=recipe.model.drop_path, rules=recipe.model.init)
    job = Job(
        objective=model,
        model=model,
        groups=parameter_groups(
            model,
            weight_decay=recipe.optim.weight_decay,
            tokens_decay=recipe.model.positions == "separable",  # as MAE-ST's do
        ),
        clips=clips,
        feed=_feed,
        evaluate=None,
        identity=identity,
        look=look_at_autoencoder(model),
    )
    return job, card


def _feed(batch: dict[str, Tensor], step: int, number: int) -> dict[str, Tensor]:
    return {"clip_BCTHW": batch["clip"], "noise_B2N": batch["noise"]}

"""`videomae pretrain`: from a recipe and prepared videos to an encoder that has seen no label."""

from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from videomae_cli.checkpoints.files import write_native
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.rng import stream_seed
from videomae_cli.tasks import runs
from videomae_cli.tasks.build import build_autoencoder
from videomae_cli.tasks.cards import card_for_pretrain
from videomae_cli.tasks.resume import identity
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
        RecipeError: The batch does not divide, or is larger than the data.
        TrainingError: Loss not finite; a resume that would be another run; a failed save; the
            directory is in use.
        Stopped: A signal asked to stop; everything is saved.
    """
    manifest = open_manifest(recipe)
    with Runtime(recipe.train.precision) as runtime, ExitStack() as held:
        run_dir = runtime.agree(run_dir)
        order, plan = plan_for(recipe, manifest, runtime.world)
        runtime.on_main(lambda: held.enter_context(runs.opened(run_dir, recipe, report, parent)))
        torch.manual_seed(stream_seed(recipe.seed, "init"))
        card = card_for_pretrain(recipe)
        model = build_autoencoder(card, drop_path=recipe.model.drop_path, rules=recipe.model.init)
        report.say(f"run directory {run_dir}")
        report.say(f"{runtime.summary()}; {plan.summary()}")
        job = Job(
            objective=model,
            groups=parameter_groups(
                model,
                weight_decay=recipe.optim.weight_decay,
                tokens_decay=recipe.model.positions == "separable",  # as MAE-ST's do
            ),
            clips=PretrainClips(
                manifest.split("train"),
                manifest.root,
                recipe.clip.candidates(),
                recipe.augment,
                recipe.seed,
            ),
            feed=_feed,
            evaluate=None,
            identity=identity(
                recipe,
                data=manifest.digest,
                decoders=runs.decoders(),
                precision=runtime.precision,
            ),
        )
        state = train(job, recipe, run_dir, order=order, plan=plan, runtime=runtime, report=report)
        final = run_dir / "final"
        made = {"step": state.step, "data": str(recipe.data), "software": runs.software()}
        weights = runtime.unwrap(model).state_dict()
        runtime.on_main(lambda: write_native(final, weights, card.model_copy(update=made)))
    report.say(f"wrote {final}")
    return final


def _feed(batch: dict[str, Tensor], step: int, number: int) -> dict[str, Tensor]:
    return {"clip_BCTHW": batch["clip"], "noise_B2N": batch["noise"]}

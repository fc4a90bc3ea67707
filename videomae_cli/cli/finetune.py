"""`videomae finetune`."""

from typing import Annotated

import typer

from videomae_cli.cli.options import (
    DataOption,
    DevicesOption,
    DryRunOption,
    ForkOption,
    JsonOption,
    OutOption,
    PriceOption,
    RecipeOption,
    ResumeOption,
    SeedOption,
    SetOption,
    complete_run,
)

StartOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="PATH|scratch",
        help="Pretrained weights to start from; `scratch` for none.",
        show_default="newest pretraining",
        autocompletion=complete_run,
    ),
]


def finetune(
    recipe: RecipeOption = None,
    data: DataOption = None,
    checkpoint: StartOption = None,
    out: OutOption = None,
    resume: ResumeOption = None,
    changes: SetOption = None,
    fork: ForkOption = False,
    devices: DevicesOption = None,
    seed: SeedOption = None,
    dry_run: DryRunOption = False,
    price_per_hour: PriceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Fine-tune a pretrained encoder on labelled videos.

    Without --checkpoint it starts from the newest finished pretraining under runs/, and says so.

    Examples:

      videomae finetune --recipe k400-vitb-finetune --checkpoint runs/mine

      videomae finetune --recipe small-data-vits-finetune --checkpoint scratch
    """
    from videomae_cli.cli import console
    from videomae_cli.cli import dry_run as without_training
    from videomae_cli.cli.recipe_options import Flags, chosen_recipe, require_dry_run, run_name
    from videomae_cli.engine.distributed.slurm import join_step

    join_step()
    require_dry_run(price_per_hour, dry_run=dry_run)
    flags = Flags(recipe, changes, data, seed, resume, start=checkpoint)
    chosen = chosen_recipe(flags, "finetune")
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.tasks.run_dir import choose_run_dir, newest_final_weights
    from videomae_cli.tasks.train import finetune as task
    from videomae_cli.tasks.train.job import open_manifest

    open_manifest(chosen)
    report = console.report(json_output=json_output)
    if chosen.start is None:
        newest = newest_final_weights("autoencoder", report)
        chosen = chosen.model_copy(update={"start": str(newest)})
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    run_dir = choose_run_dir(run_name(flags), out=out, resume=resume, is_fork=fork)
    if dry_run:
        without_training.forecast(
            chosen,
            run_dir,
            resume=resume,
            price_per_hour=price_per_hour,
            without_data=False,
            json_output=json_output,
        )
        return
    final = task.run(chosen, run_dir, report, resume if fork else None)
    if json_output:
        console.print_json({"run": str(final.parent), "checkpoint": str(final)})

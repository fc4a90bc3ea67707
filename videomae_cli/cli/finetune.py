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
        help="Pretrained weights to start from; `scratch` for random initialisation.",
        show_default="newest pretraining run",
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

    Without --checkpoint, training starts from the newest finished pretraining run
    under runs/, and its name is printed.

    Examples:

      videomae finetune --recipe k400-vitb-finetune --checkpoint runs/mine

      videomae finetune --recipe small-data-vits-finetune --checkpoint scratch
    """
    from videomae_cli.cli import console
    from videomae_cli.cli.dry_run import show_estimate
    from videomae_cli.cli.recipe_options import (
        RecipeOptions,
        load_chosen_recipe,
        require_dry_run,
        run_name,
    )
    from videomae_cli.engine.distributed.slurm import join_step

    join_step()
    require_dry_run(price_per_hour, dry_run=dry_run)
    options = RecipeOptions(recipe, changes, data, seed, resume, start=checkpoint)
    resolved = load_chosen_recipe(options, "finetune")
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.tasks.run_dir import choose_run_dir, newest_final_weights
    from videomae_cli.tasks.train import finetune as task
    from videomae_cli.tasks.train.job import open_manifest

    open_manifest(resolved)
    report = console.report(json_output=json_output)
    if resolved.start is None:
        newest = newest_final_weights("autoencoder", report)
        resolved = resolved.model_copy(update={"start": str(newest)})
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    run_dir = choose_run_dir(run_name(options), out=out, resume=resume, is_fork=fork)
    if dry_run:
        show_estimate(
            resolved,
            run_dir,
            resume=resume,
            price_per_hour=price_per_hour,
            without_data=False,
            json_output=json_output,
        )
        return
    final = task.run(resolved, run_dir, report, resume if fork else None)
    if json_output:
        console.print_json({"run": str(final.parent), "checkpoint": str(final)})

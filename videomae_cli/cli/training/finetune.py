"""`videomae finetune`."""

from typing import Annotated

import typer

from videomae_cli.cli import options

StartOption = Annotated[
    str | None,
    options.run_option(
        "--checkpoint",
        "PATH|scratch",
        "Pretrained weights to start from; `scratch` for random initialisation.",
        "newest pretraining run",
    ),
]


def finetune(
    recipe: options.RecipeOption = None,
    data: options.DataOption = None,
    checkpoint: StartOption = None,
    out: options.OutOption = None,
    resume: options.ResumeOption = None,
    changes: options.SetOption = None,
    fork: options.ForkOption = False,
    devices: options.DevicesOption = None,
    seed: options.SeedOption = None,
    dry_run: options.DryRunOption = False,
    price_per_hour: options.PriceOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Fine-tune a pretrained encoder on labelled videos.

    Without --checkpoint, training starts from the newest finished pretraining run
    under runs/, and its name is printed.

    Examples:

      videomae finetune --recipe k400-vitb-finetune --checkpoint runs/mine

      videomae finetune --recipe small-data-vits-finetune --checkpoint scratch
    """
    from videomae_cli.cli import console
    from videomae_cli.cli.training import recipe_options
    from videomae_cli.engine.distributed.slurm import join_step

    join_step()
    recipe_options.require_dry_run(price_per_hour, dry_run=dry_run)
    chosen = recipe_options.RecipeOptions(recipe, changes, data, seed, resume, start=checkpoint)
    resolved = recipe_options.load_chosen_recipe(chosen, "finetune")
    from videomae_cli.tasks.run_dir import choose_run_dir, newest_final_weights
    from videomae_cli.tasks.train.job import open_manifest

    open_manifest(resolved)
    report = console.make_report(json_output=json_output)
    if resolved.start is None:
        newest = newest_final_weights("autoencoder", report)
        resolved = resolved.model_copy(update={"start": str(newest)})
    recipe_options.require_start(resolved, resume)
    run_dir = choose_run_dir(recipe_options.run_name(chosen), out=out, resume=resume, is_fork=fork)
    from videomae_cli.engine.distributed.launch import relaunch  # imports torch, as does the next
    from videomae_cli.tasks.train import finetune as task

    recipe_options.exempt_imports_from_collection()
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    if dry_run:
        recipe_options.show_estimate(
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

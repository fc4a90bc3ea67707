"""`videomae pretrain`."""

from typing import Annotated

from videomae_cli.cli import options

StartOption = Annotated[
    str | None,
    options.run_option(
        "--checkpoint",
        "PATH",
        "Pretrained weights to continue from: a run, or a checkpoint of any format.",
        "freshly drawn weights",
    ),
]


def pretrain(
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
    report: options.ReportOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Pretrain a masked autoencoder on videos without labels.

    Ctrl-C or SIGTERM writes a checkpoint and exits; --resume continues the run
    exactly where it stopped.

    Examples:

      videomae pretrain --recipe k400-vitb

      videomae pretrain --recipe small-data-vits --data data/mine

      videomae pretrain --recipe mine.yaml --set schedule.epochs=200

      videomae pretrain --recipe k400-vitb --checkpoint weights.pth

      videomae pretrain --recipe k400-vitb --dry-run --price-per-hour 12
    """
    import typer

    from videomae_cli.cli import console
    from videomae_cli.cli.report import report as report_command
    from videomae_cli.cli.training import recipe_options
    from videomae_cli.engine.distributed.slurm import join_step

    if report is not None:
        console.make_report(json_output=json_output).warn(
            f"--report is deprecated; use: videomae report {report}"
        )
        report_command(report, json_output=json_output)
        return
    join_step()
    recipe_options.require_dry_run(price_per_hour, dry_run=dry_run)
    chosen = recipe_options.RecipeOptions(recipe, changes, data, seed, resume, start=checkpoint)
    resolved = recipe_options.load_chosen_recipe(chosen, "pretrain")
    from videomae_cli.tasks.run_dir import choose_run_dir
    from videomae_cli.tasks.train.job import open_manifest

    may_lack_data = dry_run and data is None  # data given by --data must exist
    if not may_lack_data:
        open_manifest(resolved)
    recipe_options.require_start(resolved, resume)
    run_dir = choose_run_dir(recipe_options.run_name(chosen), out=out, resume=resume, is_fork=fork)
    from videomae_cli.engine.distributed.launch import relaunch  # imports torch, as does the next
    from videomae_cli.tasks.train import pretrain as task

    recipe_options.exempt_imports_from_collection()
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    if dry_run:
        recipe_options.show_estimate(
            resolved,
            run_dir,
            resume=resume,
            price_per_hour=price_per_hour,
            without_data=may_lack_data,
            json_output=json_output,
        )
        return
    final = task.run(
        resolved, run_dir, console.make_report(json_output=json_output), resume if fork else None
    )
    if json_output:
        console.print_json({"run": str(final.parent), "checkpoint": str(final)})

"""`videomae pretrain`."""

from videomae_cli.cli.options import (
    DataOption,
    DevicesOption,
    ForkOption,
    JsonOption,
    OutOption,
    RecipeOption,
    ResumeOption,
    SeedOption,
    SetOption,
)


def pretrain(
    recipe: RecipeOption = None,
    data: DataOption = None,
    out: OutOption = None,
    resume: ResumeOption = None,
    changes: SetOption = None,
    fork: ForkOption = False,
    devices: DevicesOption = None,
    seed: SeedOption = None,
    json_output: JsonOption = False,
) -> None:
    """Pretrain a masked autoencoder on prepared videos; no labels needed.

    Ctrl-C or SIGTERM saves and leaves; --resume goes on exactly where the run stopped.

    Examples:

      videomae pretrain --recipe k400-vitb

      videomae pretrain --recipe small-data-vits --data data/mine --set schedule.epochs=200
    """
    import typer

    from videomae_cli.cli import console
    from videomae_cli.cli.choose import Flags, chosen_recipe, run_name

    flags = Flags(recipe, changes, data, seed, resume)
    chosen = chosen_recipe(flags, "pretrain")
    from videomae_cli.engine.launch import relaunch
    from videomae_cli.tasks import pretrain as task
    from videomae_cli.tasks import runs
    from videomae_cli.tasks.training import open_manifest

    open_manifest(chosen)
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    run_dir = runs.directory(run_name(flags), out=out, resume=resume, is_fork=fork)
    final = task.run(
        chosen, run_dir, console.report(json_output=json_output), resume if fork else None
    )
    if json_output:
        console.print_json({"run": str(final.parent), "checkpoint": str(final)})

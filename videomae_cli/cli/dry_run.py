"""Show the result of a dry run, for `pretrain` and `finetune`."""

from pathlib import Path

from videomae_cli.cli import console
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe


def show_estimate(
    recipe: PretrainRecipe | FinetuneRecipe,
    run_dir: Path,
    *,
    resume: Path | None,
    price_per_hour: float | None,
    without_data: bool,
    json_output: bool,
) -> None:
    """Do a dry run and print its estimate."""
    from videomae_cli.tasks.dry_run import dry_run

    estimate = dry_run.run(
        recipe,
        run_dir,
        console.report(json_output=json_output),
        resume=resume,
        price_per_hour=price_per_hour,
        without_data=without_data,
    )
    if json_output:
        console.print_json({**estimate.as_json(), "notes": estimate.notes()})

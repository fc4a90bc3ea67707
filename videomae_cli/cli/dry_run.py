"""Show the result of a dry run, for `pretrain` and `finetune`."""

from pathlib import Path
from typing import Any

from videomae_cli.cli import console
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe


def show_estimate(
    recipe: PretrainRecipe | FinetuneRecipe, run_dir: Path, *, json_output: bool, **options: Any
) -> None:
    """Do a dry run with the options of `tasks.dry_run` and print its estimate."""
    from videomae_cli.tasks.dry_run import dry_run

    report = console.make_report(json_output=json_output)
    estimate = dry_run.run(recipe, run_dir, report, **options)
    if json_output:
        console.print_json({**estimate.as_json(), "notes": estimate.notes()})

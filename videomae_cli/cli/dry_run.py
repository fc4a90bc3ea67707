"""What a training command does without training: forecast a run, or judge one."""

from pathlib import Path

from videomae_cli.cli import console
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe


def forecast(
    recipe: PretrainRecipe | FinetuneRecipe,
    run_dir: Path,
    *,
    resume: Path | None,
    price_per_hour: float | None,
    without_data: bool,
    json_output: bool,
) -> None:
    """Do a dry run and show what it found."""
    from videomae_cli.tasks.dry_run import dry_run

    found = dry_run.run(
        recipe,
        run_dir,
        console.report(json_output=json_output),
        resume=resume,
        price_per_hour=price_per_hour,
        without_data=without_data,
    )
    if json_output:
        console.print_json({**found.as_json(), "notes": found.notes()})


def judge(run_dir: Path, *, json_output: bool) -> None:
    """Show the verdict on a run and draw its curves."""
    from videomae_cli.tasks.diagnose import report as run_report

    report = console.report(json_output=json_output)
    verdict = run_report.run(run_dir, report)
    report.say(f"wrote {run_dir / run_report.CURVES}")
    if json_output:
        console.print_json({"run": str(run_dir), **verdict._asdict()})

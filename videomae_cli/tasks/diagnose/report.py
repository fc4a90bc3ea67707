"""What a run leaves for the eye, at its end and on demand: `verdict.json` and `curves.png`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from videomae_cli import atomic
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.config.training import ScheduleSpec
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.step import NonFiniteError
from videomae_cli.errors import Stopped, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.diagnose.curves import draw_course
from videomae_cli.tasks.diagnose.verdict import GUESSES, TrainingCurve, Verdict, diagnose
from videomae_cli.tasks.run_dir import RECIPE

VERDICT, CURVES = "verdict.json", "curves.png"


def run(run_dir: Path, report: Report) -> Verdict:
    """Judge a run as it stands and draw its course; trains nothing, and may be asked while it runs.

    Raises:
        UsageError: The directory holds no run, or one that has logged nothing.
    """
    if not (run_dir / RECIPE).is_file():
        raise UsageError(f"{run_dir}: holds no run", "name a directory under runs/ of your own")
    if not (run_dir / "metrics.jsonl").is_file():
        raise UsageError(f"{run_dir} has logged nothing yet", "wait for its first lines")
    return write_diagnosis(run_dir, load_recipe(str(run_dir / RECIPE)), report)


@contextmanager
def diagnose_at_end(
    run_dir: Path, recipe: Recipe, runtime: Runtime, report: Report
) -> Iterator[None]:
    """Judge a run when the block ends: finished, stopped, or with a loss that is not finite."""
    try:
        yield
    except (NonFiniteError, Stopped) as ending:
        if runtime.is_main:
            failure = ending.message if isinstance(ending, NonFiniteError) else ""
            write_diagnosis(run_dir, recipe, report, failure=failure)
        raise
    runtime.run_on_rank0(lambda: write_diagnosis(run_dir, recipe, report))


def write_diagnosis(run_dir: Path, recipe: Recipe, report: Report, *, failure: str = "") -> Verdict:
    """Judge a run, draw its course, say both.

    Args:
        run_dir: The run.
        recipe: Its recipe.
        report: Who is told.
        failure: What made the run fail, if it was the loss.
    """
    path = run_dir / "metrics.jsonl"
    lines = read_metrics(path) if path.is_file() else []
    steps, warmup = _length(recipe.schedule, lines)
    verdict = diagnose(TrainingCurve(recipe.kind, steps, warmup, lines, failure))
    report.say(verdict.headline())
    step = int(lines[-1]["step"]) if lines else 0
    written: dict[str, Any] = {**verdict._asdict(), "step": step, "steps": steps}
    atomic.write_text(run_dir / VERDICT, json.dumps(written, indent=1) + "\n")
    title = f"{run_dir.name}: step {step:,} of {steps:,}: {verdict.word}"
    if lines:
        draw_course(lines, title, run_dir / CURVES, guess=GUESSES[recipe.kind])
    return verdict


def _length(schedule: ScheduleSpec, lines: list[dict[str, float]]) -> tuple[int, int]:
    """Return steps and warm-up; what is given in epochs follows from what an epoch took so far."""
    if schedule.steps is not None and schedule.warmup_steps is not None:
        return schedule.steps, schedule.warmup_steps
    known = next((line for line in lines if line.get("epoch")), None)
    per_epoch = round(known["step"] / known["epoch"]) if known else 0
    epochs, warmup = schedule.epochs or 0.0, schedule.warmup_epochs or 0.0
    return round(epochs * per_epoch), round(warmup * per_epoch)

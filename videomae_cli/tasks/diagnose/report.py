"""Diagnose a run, at its end or on demand: writes `verdict.json` and `curves.png`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING, Any

from videomae_cli import atomic
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.config.training import ScheduleSpec
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.step import NonFiniteError
from videomae_cli.errors import DataError, Stopped, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.run_dir import METRICS, RECIPE

if TYPE_CHECKING:
    from videomae_cli.tasks.diagnose.training_curve import Chance
    from videomae_cli.tasks.diagnose.verdict import Verdict

VERDICT, CURVES = "verdict.json", "curves.png"


def run(run_dir: Path, report: Report) -> "Verdict":
    """Diagnose a pretraining or fine-tuning run as it stands, also while it is training.

    Raises a `UsageError` if the directory is no run, or the run has logged nothing.
    """
    if not (run_dir / RECIPE).is_file():
        raise UsageError(f"{run_dir} contains no run", "give a run directory, such as one in runs/")
    if not (run_dir / METRICS).is_file():
        raise UsageError(f"{run_dir} has logged nothing yet", "try again after its first steps")
    return write_diagnosis(run_dir, load_recipe(str(run_dir / RECIPE)), report)


@contextmanager
def diagnose_at_end(
    run_dir: Path, recipe: Recipe, runtime: Runtime, report: Report
) -> Iterator[None]:
    """Diagnose a run when the block ends: finished, stopped, or with a loss that is not finite."""
    try:
        yield
    except (NonFiniteError, Stopped) as error:
        if runtime.is_main:
            failure = error.message if isinstance(error, NonFiniteError) else ""
            write_diagnosis(run_dir, recipe, report, failure=failure)
        raise
    runtime.run_on_rank0(lambda: write_diagnosis(run_dir, recipe, report))


def write_diagnosis(
    run_dir: Path, recipe: Recipe, report: Report, *, failure: str = ""
) -> "Verdict":
    """Diagnose a run, report the verdict, and write it with the curves.

    `failure` is the error message of a run that was ended by its loss.
    """
    # imported here because a run needs them only at its end, and matplotlib is slow to import
    from videomae_cli.tasks.diagnose.curves import plot_curves
    from videomae_cli.tasks.diagnose.training_curve import TrainingCurve
    from videomae_cli.tasks.diagnose.verdict import diagnose
    from videomae_cli.tasks.plateau import find_plateau

    path = run_dir / METRICS
    lines = read_metrics(path) if path.is_file() else []
    steps, warmup = _planned_steps(recipe.schedule, lines)
    manifest = _read_manifest(recipe)
    note = _describe_short_videos(manifest, recipe.clip)
    chance = _measure_chance(manifest)
    task = (recipe.task if recipe.kind == "finetune" else None) or "single-label"
    step = int(lines[-1]["step"]) if lines else 0
    plateau = find_plateau(recipe, step) if recipe.kind == "pretrain" else ""
    curve = TrainingCurve(recipe.kind, steps, warmup, lines, failure, chance, task, note, plateau)
    verdict = diagnose(curve)
    report.say(verdict.headline())
    content: dict[str, Any] = {**verdict._asdict(), "step": step, "steps": steps}
    atomic.write_json(run_dir / VERDICT, content)
    title = f"{run_dir.name}: step {step:,} of {steps:,}: {verdict.word}"
    if lines:
        plot_curves(lines, title, run_dir / CURVES, baseline=curve.baseline)
    return verdict


def _read_manifest(recipe: Recipe) -> Manifest | None:
    """Return the prepared data; None if they were moved, removed or damaged since."""
    try:
        return None if recipe.data is None else read_manifest(recipe.data)
    except DataError:
        return None


def _measure_chance(manifest: Manifest | None) -> "Chance | None":
    """Return the validation accuracy of a constant answer; None without one class per video."""
    from videomae_cli.tasks.diagnose.training_curve import Chance

    labels = [] if manifest is None else [video.label for video in manifest.split("val")]
    is_single = manifest is not None and manifest.task == "single-label"
    if manifest is None or manifest.classes is None or not labels or not is_single:
        return None
    return Chance(labels.count(mode(labels)) / len(labels), len(labels), len(manifest.classes))


def _describe_short_videos(manifest: Manifest | None, clip: ClipSpec) -> str:
    """Return what the start of the run said of training videos that are shorter than a clip."""
    from videomae_cli.data.short_videos import describe_short_videos
    from videomae_cli.data.time_sampling import with_times

    if manifest is None:
        return ""
    try:
        timed = manifest if clip.step_seconds is None else with_times(manifest)
        return describe_short_videos(clip, timed, "train")
    except DataError:  # the data are not those of the run any more
        return ""


def _planned_steps(schedule: ScheduleSpec, lines: list[dict[str, float]]) -> tuple[int, int]:
    """Return the steps of a run and of its warm-up; epochs are converted by the logged epochs."""
    if schedule.steps is not None and schedule.warmup_steps is not None:
        return schedule.steps, schedule.warmup_steps
    known = next((line for line in lines if line.get("epoch")), None)
    per_epoch = round(known["step"] / known["epoch"]) if known else 0
    epochs, warmup = schedule.epochs or 0.0, schedule.warmup_epochs or 0.0
    return round(epochs * per_epoch), round(warmup * per_epoch)

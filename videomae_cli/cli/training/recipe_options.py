"""Load the recipe that the options of a training command choose, and show its dry run."""

import atexit
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import SCRATCH, FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import UsageError
from videomae_cli.report import format_json


class RecipeOptions(NamedTuple):
    """The options that choose and change a recipe."""

    recipe: str | None
    changes: Sequence[str] | None
    data: Path | None
    seed: int | None
    resume: Path | None
    start: str | None = None


@overload
def load_chosen_recipe(options: RecipeOptions, kind: Literal["pretrain"]) -> PretrainRecipe: ...
@overload
def load_chosen_recipe(options: RecipeOptions, kind: Literal["finetune"]) -> FinetuneRecipe: ...
def load_chosen_recipe(
    options: RecipeOptions, kind: Literal["pretrain", "finetune"]
) -> PretrainRecipe | FinetuneRecipe:
    """Load the recipe of --recipe, else that of the resumed run, with all overrides applied."""
    overrides = list(options.changes or [])
    overrides += [] if options.data is None else [f"data={_quote(options.data)}"]
    overrides += [] if options.seed is None else [f"seed={options.seed}"]
    overrides += [] if options.start is None else [f"start={_quote(options.start)}"]
    if options.recipe is not None:
        return load_recipe(options.recipe, overrides, kind)
    if options.resume is not None and (options.resume / "recipe.yaml").is_file():
        return load_recipe(str(options.resume / "recipe.yaml"), overrides, kind)
    if options.resume is not None:
        raise UsageError(
            f"--resume {options.resume} contains no run",
            "give a run directory, such as one in runs/",
        )
    raise UsageError(
        "no recipe given",
        f"add --recipe with a YAML file or with a name from `videomae recipes ls {kind}`",
    )


def require_start(recipe: PretrainRecipe | FinetuneRecipe, resume: Path | None) -> None:
    """Refuse weights to start from that do not exist; a resumed run needs none."""
    from videomae_cli.checkpoints.reading.weights_path import require_path

    if resume is None and recipe.start not in (None, SCRATCH):
        require_path(Path(str(recipe.start)))


def exempt_imports_from_collection() -> None:
    """Keep the garbage collector away from all objects so far, once; call it after the imports.

    They live as long as the process. The collections before the processes that decode are started
    would otherwise visit the quarter of a million objects of torch. At exit they are collected as
    ever: otherwise triton, where it is installed, reports its own ones as leaks.
    """
    if not gc.get_freeze_count():  # in a program that runs several commands, objects come and go
        gc.freeze()
        atexit.register(gc.unfreeze)


def require_dry_run(price_per_hour: float | None, *, dry_run: bool) -> None:
    """Refuse --price-per-hour without --dry-run."""
    if price_per_hour is not None and not dry_run:
        raise UsageError("--price-per-hour has no effect without --dry-run", "add --dry-run")


def show_estimate(
    recipe: PretrainRecipe | FinetuneRecipe, run_dir: Path, *, json_output: bool, **options: Any
) -> None:
    """Do a dry run with the options of `tasks.dry_run` and print its estimate."""
    from videomae_cli.cli import console
    from videomae_cli.tasks.dry_run import dry_run

    report = console.make_report(json_output=json_output)
    estimate = dry_run.run(recipe, run_dir, report, **options)
    if json_output:
        console.print_json({**estimate.as_json(), "notes": estimate.notes()})


def run_name(options: RecipeOptions) -> str:
    """Return the first part of the name of a new run directory."""
    return Path(options.recipe or "run").stem


def _quote(path: Path | str) -> str:
    return format_json(str(path))  # a quoted YAML scalar too

"""What a training command line comes to: which recipe, in which directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, overload

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import UsageError


class Flags(NamedTuple):
    """The flags that choose a recipe."""

    recipe: str | None
    changes: Sequence[str] | None
    data: Path | None
    seed: int | None
    resume: Path | None
    start: str | None = None


@overload
def chosen_recipe(flags: Flags, kind: Literal["pretrain"]) -> PretrainRecipe: ...
@overload
def chosen_recipe(flags: Flags, kind: Literal["finetune"]) -> FinetuneRecipe: ...
def chosen_recipe(
    flags: Flags, kind: Literal["pretrain", "finetune"]
) -> PretrainRecipe | FinetuneRecipe:
    """Load the recipe that the flags name: the resumed run's own, unless another is given.

    Raises:
        UsageError: No flag names one.
        RecipeError: It cannot be read or bound.
    """
    overrides = list(flags.changes or [])
    overrides += [] if flags.data is None else [f"data={_quoted(flags.data)}"]
    overrides += [] if flags.seed is None else [f"seed={flags.seed}"]
    overrides += [] if flags.start is None else [f"start={_quoted(flags.start)}"]
    if flags.recipe is not None:
        return load_recipe(flags.recipe, overrides, kind)
    if flags.resume is not None and (flags.resume / "recipe.yaml").is_file():
        return load_recipe(str(flags.resume / "recipe.yaml"), overrides, kind)
    if flags.resume is not None:
        raise UsageError(
            f"--resume {flags.resume}: holds no run", "name a directory under runs/ of your own"
        )
    raise UsageError(
        "which recipe?",
        f"videomae {kind} --recipe NAME, a file or one that `videomae recipes ls {kind}` lists",
    )


def require_dry_run(price_per_hour: float | None, *, dry_run: bool) -> None:
    """Refuse a price where nothing is priced.

    Raises:
        UsageError: There is a price, and no dry run.
    """
    if price_per_hour is not None and not dry_run:
        raise UsageError("--price-per-hour: only a dry run says what a run costs", "add --dry-run")


def run_name(flags: Flags) -> str:
    """Return what a fresh run is named after."""
    return Path(flags.recipe or "run").stem


def _quoted(path: Path | str) -> str:
    escaped = str(path).replace("'", "''")
    return f"'{escaped}'"

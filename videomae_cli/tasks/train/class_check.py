"""Check that a forked run has the classes of its parent."""

from pathlib import Path

from videomae_cli.checkpoints.class_names import describe_difference, match_classes
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import DataError, TrainingError
from videomae_cli.tasks.run_dir import RECIPE


def require_same_classes(parent: Path, recipe: Recipe) -> None:
    """Raise a `TrainingError` if the head of a run is for other classes, or in another order.

    Not checked if the data of that run are no longer there.
    """
    folder = load_recipe(str(parent / RECIPE)).data
    if folder is None or recipe.data is None:
        return
    try:
        parent_data = read_manifest(folder)
    except DataError:
        return
    data = read_manifest(recipe.data)
    if data.task != parent_data.task:
        raise TrainingError(
            f"{recipe.data}: its task is {data.task}; that of {parent} is {parent_data.task}",
            f"start a new run with --checkpoint {parent}",
        )
    before, now = parent_data.classes or (), data.classes or ()
    match = match_classes(now, before)
    if match is None or not match.keeps_order or len(now) != len(before):
        raise TrainingError(
            f"{recipe.data}: its classes are not those of {parent}, in the same order;"
            f" {describe_difference(now, before)}",
            f"fork with the same class list, or start a new run with --checkpoint {parent}",
        )

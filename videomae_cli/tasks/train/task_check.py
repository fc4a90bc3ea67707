"""Resolve the task of a fine-tuning run: that of the recipe must be that of the prepared data."""

from videomae_cli.config.schema import FinetuneRecipe, find_task_problem
from videomae_cli.data.manifest import Manifest
from videomae_cli.errors import DataError, RecipeError


def resolve_task(recipe: FinetuneRecipe, manifest: Manifest) -> FinetuneRecipe:
    """Return the recipe with the task of the data, if it is another than `single-label`.

    Raises:
        DataError: The training videos have no labels.
        RecipeError: The recipe is for another task, or has values without a meaning for it.
    """
    if manifest.classes is None or not all(v.is_labelled for v in manifest.split("train")):
        raise DataError(
            f"{recipe.data}: the training videos have no labels",
            "prepare a folder of class folders, or a list with labels",
        )
    task = manifest.task
    if recipe.task not in (None, task):
        raise RecipeError(
            f"task: {recipe.task}, but {recipe.data} was prepared for {task}",
            f"--set task={task}; or prepare the data again: videomae prepare SOURCE --out"
            f" {recipe.data} --task {recipe.task}",
        )
    if problem := find_task_problem(recipe, task):
        key, text = problem.split(" ", 1)
        value = "0" if key == "augment.smoothing" else "null"
        raise RecipeError(f"{key} {text}", f"--set {key}={value}")
    return recipe if task == "single-label" else recipe.model_copy(update={"task": task})


def require_validation_classes(manifest: Manifest) -> None:
    """Raise a `DataError` if no validation video has any class, so that there is no mAP."""
    videos = manifest.split("val")
    if manifest.task != "multi-label" or not videos:
        return
    if not any(any(video.target or ()) for video in videos):
        raise DataError(
            f"{manifest.folder}: none of the {len(videos):,} validation videos has any class",
            "move videos with classes to the split val, or prepare the data without that split",
        )

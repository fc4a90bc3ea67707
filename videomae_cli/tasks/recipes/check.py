"""`videomae recipes check`: check recipes and build their models without allocating memory.

Models are built on torch's `meta` device, where ViT-g takes one second and no memory. Of data only
the number of training videos is used. Whether the settings train well is not checked; those that
are known to learn nothing in so few steps are warned of.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from videomae_cli.config.model_config import autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.recipe_paths import list_names
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe
from videomae_cli.data.augmentation.randaugment import randaugment_policy
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.engine.plan import REFERENCE_BATCH
from videomae_cli.engine.runtime import detect_device_type
from videomae_cli.errors import RecipeError, VideoMAEError
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.models import build
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report, shell_word
from videomae_cli.tasks.plateau import find_plateau
from videomae_cli.tasks.starting_point import StartingPoint, choose_starting_point
from videomae_cli.units import plural

COLUMNS = ("recipe", "parameters", "tokens", "visible", "targets", "steps")


class RecipeFigures(NamedTuple):
    """Model size, tokens and steps of one recipe."""

    recipe: str
    parameters: int
    """Without the last layer of a classifier."""
    tokens: int
    visible: int
    targets: int
    """0 for classifiers."""
    counted: int
    """Targets that enter the loss."""
    clips: int
    """Clips per optimizer step, repeats included."""
    peak_lr: float
    steps: float
    """Optimizer steps: for the data, without data per 1,000 training videos, or in all if the
    recipe counts steps."""
    in_all: bool

    def cells(self) -> tuple[str, ...]:
        """Return the row of the printed table."""
        return (
            self.recipe,
            f"{self.parameters / 1e6:,.1f} M",
            f"{self.tokens:,}",
            f"{self.visible:,}",
            f"{self.targets:,}" if self.targets else "-",
            f"{self.steps:,.0f}{' in all' if self.in_all else ''}",
        )


class CheckResult(NamedTuple):
    """Figures of the valid recipes, the problems of the others, and where to start."""

    checked: list[RecipeFigures]
    problems: list[str]
    """One for each recipe that cannot be loaded or whose model cannot be built."""
    start: StartingPoint | None = None
    """With data only."""
    warnings: tuple[str, ...] = ()
    """Of settings that stayed on the plateau where we measured them; see `tasks/plateau.py`."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        start = {} if self.start is None else {"start": self.start._asdict()}
        recipes = [one._asdict() for one in self.checked]
        warnings = list(self.warnings)
        return {"recipes": recipes, "problems": self.problems, "warnings": warnings, **start}


def check_recipes(names: Sequence[str], report: Report, *, data: Path | None = None) -> CheckResult:
    """Load recipes (by default all built-in ones) and build their models, despite problems.

    Args:
        names: Names and files of recipes.
        report: Gets the figures.
        data: A prepared directory, to count steps for and to say where to start with.

    Raises:
        DataError: `data` is not a prepared directory.
    """
    manifest = None if data is None else read_manifest(data)
    videos = 1000 if manifest is None else len(manifest.split("train"))
    checked: list[RecipeFigures] = []
    problems: list[str] = []
    warnings: list[str] = []
    for name in names or list_names():
        try:
            recipe = load_recipe(name)
        except RecipeError as error:
            problems.append(_format_error(error))
            continue
        try:
            figures = check_recipe(name, recipe, videos)
        except VideoMAEError as error:
            problems.append(f"{name}: {_format_error(error)}")
            continue
        checked.append(figures)
        if manifest is not None or figures.in_all:
            warnings += _warn_of_plateau(recipe, figures)
    if checked:
        count = f"{len(checked)} valid recipe{'s' if len(checked) > 1 else ''}"
        title = f"{count}; steps are {'per' if data is None else 'for'} {videos:,} training videos"
        report.table(title, COLUMNS, [one.cells() for one in checked])
    for warning in warnings:
        report.warn(warning)
    start = None if manifest is None else _start(manifest, videos, report)
    return CheckResult(checked, problems, start, tuple(warnings))


def _warn_of_plateau(recipe: Recipe, figures: RecipeFigures) -> list[str]:
    """Return a warning if the settings are known not to leave the plateau in so few steps."""
    if not isinstance(recipe, PretrainRecipe):
        return []
    reason = find_plateau(recipe, figures.steps)
    return [f"{figures.recipe}: {reason}"] if reason else []


def _start(manifest: Manifest, videos: int, report: Report) -> StartingPoint:
    """Return and report where to start with prepared data on this machine."""
    start = choose_starting_point(
        videos,
        shell_word(str(manifest.folder)),
        has_labels=manifest.classes is not None,
        has_gpu=detect_device_type() != "cpu",
    )
    start.show(report, plural(videos, "training video"))
    return start


def check_recipe(name: str, recipe: Recipe, videos: int = 1000) -> RecipeFigures:
    """Build a recipe's model and count; a RecipeError if mask or RandAugment are impossible."""
    if isinstance(recipe, FinetuneRecipe) and recipe.augment.randaugment is not None:
        randaugment_policy(recipe.augment.randaugment)
    tokens = recipe.clip.grid().tokens
    model = build_on_meta(recipe)
    visible, targets, counted = tokens, 0, 0
    parameters = _count_parameters(model)
    if isinstance(model, Autoencoder):
        mask = model.masker(torch.zeros(1, 2, tokens), make_black_content(tokens))
        visible, targets = mask.visible_BV.shape[1], mask.target_BM.shape[1]
        counted = int(mask.counted_BM.sum())
    else:
        parameters -= _count_parameters(model.head)
        if model.selector is not None:
            visible = model.selector(make_black_content(tokens)).shape[1]
    epochs, steps, batch = recipe.schedule.epochs, recipe.schedule.steps, recipe.train.batch
    return RecipeFigures(
        recipe=name,
        parameters=parameters,
        tokens=tokens,
        visible=visible,
        targets=targets,
        counted=counted,
        clips=batch * recipe.augment.repeats,
        peak_lr=recipe.optim.base_lr * batch / REFERENCE_BATCH,
        steps=steps or (epochs or 0) * videos / batch,
        in_all=steps is not None,
    )


def build_on_meta(recipe: Recipe, classes: int = 1) -> Autoencoder | Classifier:
    """Build the model of a recipe on the `meta` device, as a run builds it."""
    recipe = recipe.model_copy(update={"clip": recipe.clip.without_measured()})
    with torch.device("meta"):
        if isinstance(recipe, PretrainRecipe):
            return build.build_autoencoder(autoencoder_config(recipe))
        names = [f"class {i}" for i in range(classes)]
        return build.build_classifier(classifier_config(recipe, names))


def _format_error(error: VideoMAEError) -> str:
    return f"{error.message}\n  {error.hint}" if error.hint else error.message


def _count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())

"""`videomae recipes check`: bind recipes and build their models without memory; say what they are.

Models are built on torch's `meta` device, where ViT-g takes no memory and a second. Not covered:
the data, the devices, and whether the numbers train well.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from videomae_cli.config import recipe_paths as library
from videomae_cli.config.model_config import autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe
from videomae_cli.data.transforms import randaugment_policy
from videomae_cli.engine.plan import REFERENCE_BATCH
from videomae_cli.errors import RecipeError, VideoMAEError
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.models import build
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report

COLUMNS = ("recipe", "parameters", "tokens", "visible", "targets", "steps")


class Checked(NamedTuple):
    """What a recipe comes to."""

    recipe: str
    parameters: int
    """Of the whole model, but for a classifier's last layer: its width + 1 for each class."""
    tokens: int
    visible: int
    """Tokens that the encoder sees."""
    targets: int
    """Tokens that the decoder predicts; 0 for classifiers."""
    counted: int
    """Targets that enter the loss."""
    clips: int
    """Clips per step, repeats counted."""
    peak_lr: float
    steps: float
    """Optimizer steps: for each 1,000 training videos, or in all where the recipe counts steps."""
    in_all: bool

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        return (
            self.recipe,
            f"{self.parameters / 1e6:,.1f} M",
            f"{self.tokens:,}",
            f"{self.visible:,}",
            f"{self.targets:,}" if self.targets else "-",
            f"{self.steps:,.0f}{' in all' if self.in_all else ''}",
        )


class Result(NamedTuple):
    """All recipes looked at."""

    checked: list[Checked]
    problems: list[str]
    """One for each recipe that does not bind or build."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"recipes": [one._asdict() for one in self.checked], "problems": self.problems}


def run(names: Sequence[str], report: Report) -> Result:
    """Bind and build recipes, all built-in ones where no name is given; go on after a problem."""
    checked: list[Checked] = []
    problems: list[str] = []
    for name in names or library.names():
        try:
            recipe = load_recipe(name)
        except RecipeError as error:
            problems.append(_words(error))
            continue
        try:
            checked.append(check(name, recipe))
        except VideoMAEError as error:
            problems.append(f"{name}: {_words(error)}")
    if checked:
        sound = "1 recipe is" if len(checked) == 1 else f"{len(checked)} recipes are"
        title = f"{sound} sound; steps are those for each 1,000 videos"
        report.table(title, COLUMNS, [one.cells() for one in checked])
    return Result(checked, problems)


def check(name: str, recipe: Recipe) -> Checked:
    """Build one recipe's model and count.

    Raises:
        RecipeError: The grid, the mask or the RandAugment text is impossible.
    """
    if isinstance(recipe, FinetuneRecipe) and recipe.augment.randaugment is not None:
        randaugment_policy(recipe.augment.randaugment)
    tokens = recipe.clip.grid().tokens
    model = model_of(recipe)
    visible, targets, counted = tokens, 0, 0
    parameters = _count(model)
    if isinstance(model, Autoencoder):
        mask = model.masker(torch.zeros(1, 2, tokens), make_black_content(tokens))
        visible, targets = mask.visible_BV.shape[1], mask.target_BM.shape[1]
        counted = int(mask.counted_BM.sum())
    else:
        parameters -= _count(model.head)
        if model.selector is not None:
            visible = model.selector(make_black_content(tokens)).shape[1]
    epochs, steps, batch = recipe.schedule.epochs, recipe.schedule.steps, recipe.train.batch
    return Checked(
        recipe=name,
        parameters=parameters,
        tokens=tokens,
        visible=visible,
        targets=targets,
        counted=counted,
        clips=batch * recipe.augment.repeats,
        peak_lr=recipe.optim.base_lr * batch / REFERENCE_BATCH,
        steps=steps or (epochs or 0) * 1000 / batch,
        in_all=steps is not None,
    )


def model_of(recipe: Recipe, classes: int = 1) -> Autoencoder | Classifier:
    """Build a recipe's model on the `meta` device, by way of its card, as a run does."""
    with torch.device("meta"):
        if isinstance(recipe, PretrainRecipe):
            return build.build_autoencoder(autoencoder_config(recipe))
        names = [f"class {i}" for i in range(classes)]
        return build.build_classifier(classifier_config(recipe, names))


def _words(error: VideoMAEError) -> str:
    return f"{error.message}\n  {error.hint}" if error.hint else error.message


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())

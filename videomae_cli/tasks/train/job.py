"""What one run trains: model, data, plan and callbacks, whatever kind of training it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.schema import AnyRecipe, Recipe
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.engine.logging.metrics import Metric
from videomae_cli.engine.plan import TrainingPlan, make_training_plan
from videomae_cli.errors import DataError
from videomae_cli.report import Report

if TYPE_CHECKING:  # data are opened, or refused, before torch is imported
    from torch import nn

    from videomae_cli.data.loader import Order
    from videomae_cli.data.workers import Clips
    from videomae_cli.engine.optim import Group
    from videomae_cli.engine.runtime import Runtime
    from videomae_cli.engine.step import PrepareInputs
    from videomae_cli.models.autoencoder import Autoencoder
    from videomae_cli.models.classifier import Classifier
    from videomae_cli.tasks.diagnose.probe_batch import Probe


class Job(NamedTuple):
    """A run before its first step."""

    recipe: Recipe
    """Resolved; `train.micro_batch` is a number."""
    objective: "nn.Module"
    """What is trained; its output has a scalar `loss`."""
    model: "Autoencoder | Classifier"
    """The part of it whose weights are kept."""
    config: ModelConfig
    groups: "list[Group]"
    clips: "Clips"
    order: "Order"
    plan: TrainingPlan
    prepare: "PrepareInputs"
    """Turns a batch into the inputs of the objective."""
    probe: "Probe"
    """What the diagnosis measures on a few fixed clips."""
    identity: dict[str, str]
    """What a resumed run must have in common with the interrupted one."""
    validate: Callable[[int], dict[str, float]] | None = None
    """Returns validation figures by name."""
    metric: Metric | None = None
    """The validation figure that decides which checkpoint is the best; None: see `is_probed`."""
    validate_every_epochs: float | None = None
    """None: only after the last step."""
    trivial_loss: float | None = None
    """Loss of a guess that has seen no clip; None where `probe` returns the targets."""

    @property
    def is_probed(self) -> bool:
        """Whether validations are probes of the features, which are only logged."""
        return self.validate is not None and self.metric is None


def open_manifest(recipe: Recipe) -> Manifest:
    """Read the prepared data of a recipe; a `DataError` without training videos."""
    verb = recipe.kind
    if recipe.data is None:
        raise DataError(
            f"this {verb} recipe names no data",
            "prepare your videos, then add --data:\n"
            "  videomae prepare YOUR_VIDEOS --out data/mine\n"
            f"  videomae {verb} --recipe ... --data data/mine",
        )
    if not (recipe.data / "manifest.csv").is_file():
        raise DataError(
            f"{recipe.data} contains no prepared videos",
            f"prepare them first, from a folder of class folders, a CSV or a list:\n"
            f"  videomae prepare YOUR_VIDEOS --out {recipe.data}\n"
            "or point --data at a folder that `videomae prepare` has written",
        )
    manifest = read_manifest(recipe.data)
    if not manifest.split("train"):
        raise DataError(f"{recipe.data}: no training videos", "prepare data with a train split")
    if recipe.clip.step_seconds is None:
        return manifest
    from videomae_cli.data.time_sampling import with_times  # few recipes sample in time

    return with_times(manifest)


def resolve_clip(recipe: AnyRecipe, manifest: Manifest, report: Report) -> AnyRecipe:
    """Return the recipe with the measured mean and std; report what happens to short videos.

    Raises:
        RecipeError: The data have other channels than `clip.channels`.
        DataError: No statistics were measured, or the recipe refuses short videos.
    """
    from videomae_cli.data import short_videos  # not needed to train, nor is the next
    from videomae_cli.tasks.train.pixel_statistics import resolve_statistics

    recipe = resolve_statistics(recipe, manifest, report)
    splits = ("train",) if recipe.kind == "pretrain" else ("train", "val")
    short_videos.report_short_videos(recipe.clip, manifest, splits, report)
    return recipe


def plan_training(recipe: Recipe, videos: int, runtime: "Runtime") -> "tuple[Order, TrainingPlan]":
    """Return the sample order and the plan of a run on this many training videos.

    Raises a `DataError` or `RecipeError` if the batch does not suit the videos or the processes.
    """
    from videomae_cli.data.loader import Order

    order = Order(videos, recipe.train.batch, recipe.seed)
    plan = make_training_plan(
        recipe.schedule,
        recipe.train,
        recipe.optim,
        steps_per_epoch=order.steps_per_epoch,
        world=runtime.world,
        repeats=recipe.augment.repeats,
    )
    return order, plan

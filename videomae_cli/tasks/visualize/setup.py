"""How a video to be shown is cut and masked: as the user wishes, else as the checkpoint was."""

from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.checkpoints.loading import Loaded
from videomae_cli.checkpoints.native import WEIGHTS_FILE
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.frame_selection import FrameChoice
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.tasks.load_model import load_autoencoder, read_run
from videomae_cli.tasks.visualize.strategies import chosen, name_of

MOST_FILLED_IN = 3  # strategies with a reconstruction each; more rows no longer fit a screen


class Wish(NamedTuple):
    """What to look at. None takes the checkpoint's value, else VideoMAE's pretraining."""

    frames: int | None = None
    """Frames in the clip."""
    size: int | None = None
    """Height and width, pixels."""
    patch: int | None = None
    """Pixels per token and side."""
    stride: int | None = None
    """Frames of the video from one frame of the clip to the next."""
    ratio: float | None = None
    """Fraction of tokens masked."""
    strategy: str | None = None
    """Masking strategies by name, with commas between them."""
    seed: int = 0
    """Decides the masks."""
    target_stats: bool = False
    """Use the hidden patches' own mean and deviation, and say so."""
    error: bool = False
    """Add a row that shows where the prediction is wrong."""
    columns: int = 8
    """Most frames on the picture."""


class Scene(NamedTuple):
    """How a video is cut and masked."""

    grid: TokenGrid
    stride: int
    sampling: Literal["dense", "segment"]
    masks: tuple[MaskSpec, ...]
    """At least one."""
    model: Autoencoder | None
    about: str
    """Where all this comes from, in few words."""
    frame_choice: FrameChoice | None = None
    """Which slices of a longer clip are used, where the model was trained so."""
    remarks: tuple[str, ...] = ()
    """What became of the weights on the way in."""
    warning: str = ""
    """What a user of these weights must know."""

    @property
    def fills_in(self) -> bool:
        """Is there a model, and room for what it makes of each mask?"""
        return self.model is not None and len(self.masks) <= MOST_FILLED_IN

    @property
    def motion(self) -> MaskSpec | None:
        """The mask that looks at motion, if one does."""
        return next((spec for spec in self.masks if spec.strategy == "motion"), None)


def scene_for(checkpoint: Path | None, wish: Wish) -> Scene:
    """Decide how to cut and mask, and load the model if there is one.

    Raises:
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint, or names no strategy.
        RecipeError: Sizes that do not divide, or a mask that cannot be on this grid.
    """
    if checkpoint is None:
        size = wish.size or 224
        grid = TokenGrid(wish.frames or 16, size, size, patch=wish.patch or 16)
        masks = chosen(wish.strategy, wish.ratio, slices=grid.t)
        _try(masks, grid)
        about = "no checkpoint, so the mask alone: VideoMAE's pretraining where not said otherwise"
        return Scene(grid, wish.stride or 4, "dense", masks, None, about)
    loaded = read_run(checkpoint)
    config = loaded.config
    _refuse_contradiction(config, wish)
    model = load_autoencoder(loaded).eval()
    masks = chosen(wish.strategy, wish.ratio, config.mask_or_default, slices=model.grid.t)
    _try(masks, model.grid)
    # the slices are chosen once, for all masks, and before them
    frame_choice, model.frame_choice = model.frame_choice, None
    assumed = (f"assumed: {sentence}" for sentence in loaded.report.assumed)
    return Scene(
        model.grid,
        wish.stride or config.stride_frames,
        config.sampling,
        masks,
        model,
        _about(loaded),
        frame_choice,
        (loaded.report.summary(), *assumed),
        loaded.warning,
    )


def _try(masks: tuple[MaskSpec, ...], grid: TokenGrid) -> None:
    for spec in masks:
        try:
            masker_for(spec, grid)
        except RecipeError as error:
            raise RecipeError(f"{name_of(spec)}: {error.message}", error.hint) from error


def _about(loaded: Loaded) -> str:
    file, step = loaded.file, loaded.config.step
    place = file.parent if file.name == WEIGHTS_FILE else file
    stack = loaded.config.encoder
    steps = f", step {step:,}" if step else ""
    return f"{Path(*place.parts[-3:])}{steps} (encoder {stack.dim} wide, {stack.depth} blocks)"


def _refuse_contradiction(config: ModelConfig, wish: Wish) -> None:
    grid = config.grid
    for option, told, fact in (
        ("frames", wish.frames, grid.frames),
        ("size", wish.size, grid.height),
        ("patch", wish.patch, grid.patch),
    ):
        if told is not None and told != fact:
            raise UsageError(
                f"--{option} {told}: the checkpoint was trained with {fact}",
                f"leave --{option} out, or look at the mask alone without --checkpoint",
            )

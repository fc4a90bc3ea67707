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
from videomae_cli.tasks.visualize.strategies import format_name, select_masks

MAX_RECONSTRUCTIONS = 3  # strategies with a reconstruction each; more rows no longer fit a screen


class Options(NamedTuple):
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


class Setup(NamedTuple):
    """How a video is cut and masked."""

    grid: TokenGrid
    stride: int
    sampling: Literal["dense", "segment"]
    masks: tuple[MaskSpec, ...]
    """At least one."""
    model: Autoencoder | None
    description: str
    """Where all this comes from, in few words."""
    frame_choice: FrameChoice | None = None
    """Which slices of a longer clip are used, where the model was trained so."""
    load_messages: tuple[str, ...] = ()
    """What became of the weights on the way in."""
    warning: str = ""
    """What a user of these weights must know."""

    @property
    def reconstructs(self) -> bool:
        """Is there a model, and room for what it makes of each mask?"""
        return self.model is not None and len(self.masks) <= MAX_RECONSTRUCTIONS

    @property
    def motion_mask(self) -> MaskSpec | None:
        """The mask that looks at motion, if one does."""
        return next((spec for spec in self.masks if spec.strategy == "motion"), None)


def build_setup(checkpoint: Path | None, options: Options) -> Setup:
    """Decide how to cut and mask, and load the model if there is one.

    Raises:
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint, or names no strategy.
        RecipeError: Sizes that do not divide, or a mask that cannot be on this grid.
    """
    if checkpoint is None:
        size = options.size or 224
        grid = TokenGrid(options.frames or 16, size, size, patch=options.patch or 16)
        masks = select_masks(options.strategy, options.ratio, slices=grid.t)
        _check_masks(masks, grid)
        description = (
            "no checkpoint, so the mask alone: VideoMAE's pretraining where not said otherwise"
        )
        return Setup(grid, options.stride or 4, "dense", masks, None, description)
    loaded = read_run(checkpoint)
    config = loaded.config
    _check_options(config, options)
    model = load_autoencoder(loaded).eval()
    masks = select_masks(
        options.strategy, options.ratio, config.mask_or_default, slices=model.grid.t
    )
    _check_masks(masks, model.grid)
    # the slices are chosen once, for all masks, and before them
    frame_choice, model.frame_choice = model.frame_choice, None
    assumed = (f"assumed: {sentence}" for sentence in loaded.report.assumed)
    return Setup(
        model.grid,
        options.stride or config.stride_frames,
        config.sampling,
        masks,
        model,
        _describe_checkpoint(loaded),
        frame_choice,
        (loaded.report.summary(), *assumed),
        loaded.warning,
    )


def _check_masks(masks: tuple[MaskSpec, ...], grid: TokenGrid) -> None:
    for spec in masks:
        try:
            masker_for(spec, grid)
        except RecipeError as error:
            raise RecipeError(f"{format_name(spec)}: {error.message}", error.hint) from error


def _describe_checkpoint(loaded: Loaded) -> str:
    file, step = loaded.file, loaded.config.step
    place = file.parent if file.name == WEIGHTS_FILE else file
    stack = loaded.config.encoder
    steps = f", step {step:,}" if step else ""
    return f"{Path(*place.parts[-3:])}{steps} (encoder {stack.dim} wide, {stack.depth} blocks)"


def _check_options(config: ModelConfig, options: Options) -> None:
    grid = config.grid
    for option, given, trained in (
        ("frames", options.frames, grid.frames),
        ("size", options.size, grid.height),
        ("patch", options.patch, grid.patch),
    ):
        if given is not None and given != trained:
            raise UsageError(
                f"--{option} {given}: the checkpoint was trained with {trained}",
                f"leave --{option} out, or look at the mask alone without --checkpoint",
            )

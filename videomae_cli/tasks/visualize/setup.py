"""Set up a picture: clip, masks and model, from the options, else from the checkpoint."""

from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.checkpoints.native import WEIGHTS_FILE
from videomae_cli.config.clip import V1_RULES, ClipSpec
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.grid import TokenGrid, format_size
from videomae_cli.masking import masker_for
from videomae_cli.masking.frame_selection import FrameChoice
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.tasks.load_model import load_autoencoder, read_run
from videomae_cli.tasks.visualize.strategies import format_name, select_masks

MAX_RECONSTRUCTIONS = 3  # masks with a reconstruction each; more rows do not fit a screen
NO_CHECKPOINT = "No checkpoint given: showing the mask only. Defaults: VideoMAE pretraining."


class Options(NamedTuple):
    """Options of the user. None means: as in the checkpoint, else as in VideoMAE's pretraining."""

    frames: int | None = None
    size: int | tuple[int, int] | None = None
    """Height and width, in pixels; one number for squares."""
    stride: int | None = None
    """Distance between two frames of the clip, in frames of the video."""
    ratio: float | None = None
    strategy: str | None = None
    """Names of masking strategies, separated by commas."""
    seed: int = 0
    target_stats: bool = False
    """Use the mean and standard deviation of the hidden patches; the picture is labelled so."""
    error: bool = False
    columns: int = 8
    """Maximum number of frames on the PNG."""


class Setup(NamedTuple):
    """Clip geometry, masks and model of a picture."""

    grid: TokenGrid
    clip: ClipSpec
    """How the frames of the clip are sampled."""
    masks: tuple[MaskSpec, ...]
    model: Autoencoder | None
    description: str
    """Name of the checkpoint, or a note that there is none."""
    frame_choice: FrameChoice | None = None
    """Selection of slices from a longer clip, if the model was trained with it."""
    load_messages: tuple[str, ...] = ()
    warning: str = ""
    """Known defect of these weights."""
    target_stats: bool = False

    @property
    def reconstructs(self) -> bool:
        """Whether each mask gets a reconstruction."""
        return self.model is not None and len(self.masks) <= MAX_RECONSTRUCTIONS


def build_setup(checkpoint: Path | None, options: Options) -> Setup:
    """Choose clip geometry and masks, and load the model if a checkpoint is given.

    Raises:
        CheckpointError: The weights cannot be read, or are those of a classifier.
        UsageError: An option contradicts the checkpoint, or a strategy is unknown.
        RecipeError: Sizes do not divide, or a mask is impossible on this token grid.
    """
    if checkpoint is None:
        size = options.size or 224
        height, width = (size, size) if isinstance(size, int) else size
        grid = TokenGrid(options.frames or 16, height, width)
        masks = select_masks(options.strategy, options.ratio, slices=grid.t)
        _check_masks(masks, grid)
        clip = ClipSpec(
            frames=grid.frames, stride_frames=options.stride or 4, size=size, short=V1_RULES
        )
        return Setup(grid, clip, masks, None, NO_CHECKPOINT)
    loaded = read_run(checkpoint)
    _check_options(loaded.config, options)
    return set_up_model(loaded, load_autoencoder(loaded).eval(), options)


def set_up_model(loaded: Checkpoint, model: Autoencoder, options: Options) -> Setup:
    """Return the setup for a model that has been loaded; its frame choice is moved to the setup.

    Raises what `build_setup` raises about masks.
    """
    config = loaded.config
    trained, grid = config.mask_or_default, model.grid
    masks = select_masks(options.strategy, options.ratio, trained, slices=grid.t)
    _check_masks(masks, grid)
    # frames are selected once for all masks, when the clip is read
    frame_choice, model.frame_choice = model.frame_choice, None
    assumed = (f"assumed: {sentence}" for sentence in loaded.report.assumed)
    return Setup(
        model.grid,
        _choose_clip(config, options),
        masks,
        model,
        _describe_checkpoint(loaded),
        frame_choice,
        (loaded.report.summary(), *assumed),
        loaded.warning,
        options.target_stats,
    )


def _choose_clip(config: ModelConfig, options: Options) -> ClipSpec:
    """Return how the model's clips are sampled, with the stride of the user if there is one."""
    clip = config.clip()
    if options.stride is None:
        return clip
    update = {"stride_frames": options.stride, "fps": None, "seconds": None}
    return clip.model_copy(update=update)


def _check_masks(masks: tuple[MaskSpec, ...], grid: TokenGrid) -> None:
    for spec in masks:
        try:
            masker_for(spec, grid)
        except RecipeError as error:
            raise RecipeError(f"{format_name(spec)}: {error.message}", error.hint) from error


def _describe_checkpoint(loaded: Checkpoint) -> str:
    file, encoder = loaded.file, loaded.config.encoder
    path = file.parent if file.name == WEIGHTS_FILE else file
    step = f", step {loaded.config.step:,}" if loaded.config.step else ""
    size = f"encoder dimension {encoder.dim}, {encoder.depth} blocks"
    return f"{Path(*path.parts[-3:])}{step} ({size})"


def _check_options(config: ModelConfig, options: Options) -> None:
    for option, value, trained in (
        ("frames", options.frames, config.grid.frames),
        ("size", options.size, config.grid.size),
    ):
        if value is not None and value != trained:
            raise UsageError(
                f"--{option} {format_size(value)}: the checkpoint was trained with"
                f" {format_size(trained)}",
                f"omit --{option}, or omit --checkpoint to show the mask only",
            )

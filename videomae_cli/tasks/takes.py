"""A clip of a video, masked, and filled in where there is a model: what `visualize-mask` draws."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from videomae_cli.checkpoints import Loaded
from videomae_cli.checkpoints.files import WEIGHTS_FILE
from videomae_cli.config.card import Card
from videomae_cli.config.model import MaskSpec
from videomae_cli.data.decode import VideoInfo, read_frames
from videomae_cli.data.frames import dense_test_indices, segment_test_indices
from videomae_cli.data.views import test_views
from videomae_cli.errors import UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.targets import patchify
from videomae_cli.rng import stream
from videomae_cli.tasks.build import build_autoencoder
from videomae_cli.tasks.cards import mask_of
from videomae_cli.tasks.reconstruct import Reconstruction, reconstruct
from videomae_cli.tasks.saves import read_run


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
    seed: int = 0
    """Decides the mask."""
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
    mask: MaskSpec
    model: Autoencoder | None
    about: str
    """Where all this comes from, in few words."""
    remarks: tuple[str, ...] = ()
    """What became of the weights on the way in."""
    warning: str = ""
    """What a user of these weights must know."""


class Take(NamedTuple):
    """A clip, cut from its video and masked."""

    path: Path
    info: VideoInfo
    indices: list[int]
    frames_THWC: NDArray[np.uint8]
    mask: Mask
    result: Reconstruction | None


def scene_for(checkpoint: Path | None, wish: Wish) -> Scene:
    """Decide how to cut and mask, and load the model if there is one.

    Raises:
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint.
        RecipeError: Sizes that do not divide.
    """
    if checkpoint is None:
        mask = _masked(MaskSpec(strategy="tube", ratio=0.9), wish)
        size = wish.size or 224
        grid = TokenGrid(wish.frames or 16, size, size, patch=wish.patch or 16)
        about = "no checkpoint, so the mask alone: VideoMAE's pretraining where not said otherwise"
        return Scene(grid, wish.stride or 4, "dense", mask, None, about)
    loaded = read_run(checkpoint)
    card = loaded.card
    _refuse_contradiction(card, wish)
    mask = _masked(mask_of(card), wish)
    card = card.model_copy(update={"mask": mask.model_dump(mode="json")})
    model = build_autoencoder(card, loaded.weights).eval()
    assumed = (f"assumed: {sentence}" for sentence in loaded.report.assumed)
    return Scene(
        card.grid.grid(),
        wish.stride or card.stride_frames,
        card.sampling,
        mask,
        model,
        _about(loaded),
        (loaded.report.summary(), *assumed),
        loaded.warning,
    )


def _masked(mask: MaskSpec, wish: Wish) -> MaskSpec:
    if wish.ratio is None:
        return mask
    if not 0 < wish.ratio < 1:
        raise UsageError(f"--ratio {wish.ratio:g}: masks nothing or all", "for example 0.75 or 0.9")
    return mask.model_copy(update={"ratio": wish.ratio})


def _about(loaded: Loaded) -> str:
    file, step = loaded.file, loaded.card.step
    place = file.parent if file.name == WEIGHTS_FILE else file
    stack = loaded.card.encoder
    steps = f", step {step:,}" if step else ""
    return f"{Path(*place.parts[-3:])}{steps} (encoder {stack.dim} wide, {stack.depth} blocks)"


def _refuse_contradiction(card: Card, wish: Wish) -> None:
    grid = card.grid
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


def take_from(video: Path, info: VideoInfo, scene: Scene, wish: Wish) -> Take:
    """Read the clip in the middle of a video, mask it, and fill it in if there is a model.

    Raises:
        DataError: The video cannot be read.
        RecipeError: The ratio hides nothing or everything.
    """
    grid = scene.grid
    if scene.sampling == "segment":
        indices = segment_test_indices(info.frames, grid.frames, 1)[0]
    else:
        indices = dense_test_indices(info.frames, grid.frames, scene.stride, 1)[0]
    # PyAV, because what it calls frame 60 is frame 60 in every file
    frames_THWC = test_views(read_frames(video, indices, decoder="pyav"), grid.height, 1)[0]
    clip_BCTHW = torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(3, 0, 1, 2)[None]
    noise = stream(wish.seed, "visualize").random((1, 2, grid.tokens), dtype=np.float32)
    noise_B2N = torch.from_numpy(noise)
    if scene.model is None:
        content = Content(patchify(clip_BCTHW, grid), _no_tokens)
        mask = masker_for(scene.mask, grid)(noise_B2N, content)
        return Take(video, info, indices, frames_THWC, mask, None)
    result, mask = reconstruct(scene.model, clip_BCTHW, noise_B2N, target_stats=wish.target_stats)
    return Take(video, info, indices, frames_THWC, mask, result)


def _no_tokens(tubelets_BNP: torch.Tensor) -> torch.Tensor:
    raise UsageError(
        "this masking strategy looks at the model's tokens", "give a model with --checkpoint"
    )

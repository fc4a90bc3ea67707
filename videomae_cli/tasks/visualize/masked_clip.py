"""A clip of a video, masked in one way or several, and filled in where there is a model.

Shapes: B batch (always 1 here), C channels, T frames, H W pixels, N tokens, t slices, c candidate
slices.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.config.model import MaskSpec, Source
from videomae_cli.data.decode import read_frames
from videomae_cli.data.eval_crops import cut_eval_crops
from videomae_cli.data.frame_sampling import dense_test_indices, segment_test_indices
from videomae_cli.data.video_info import VideoInfo
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.masking.motion import most_moving, pool_size, scores
from videomae_cli.models.targets import patchify
from videomae_cli.rng import stream
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, reconstruct
from videomae_cli.tasks.visualize.setup import Scene


class Take(NamedTuple):
    """A clip, cut from its video."""

    path: Path
    info: VideoInfo
    indices: list[int]
    frames_THWC: NDArray[np.uint8]
    noise_B2N: Tensor
    """Decides all masks; the same for each."""

    @property
    def clip_BCTHW(self) -> Tensor:  # noqa: N802  (a shape)
        """The frames as a model takes them."""
        return torch.from_numpy(np.ascontiguousarray(self.frames_THWC)).permute(3, 0, 1, 2)[None]


class Look(NamedTuple):
    """One way of masking a clip, and what a model makes of it."""

    spec: MaskSpec
    mask: Mask
    result: Reconstruction | None


class Motion(NamedTuple):
    """How much each token moves, as a strategy that looks at motion sees it."""

    scores_thw: NDArray[np.float32]
    source: Source
    pool: float
    """Fraction of the tokens that take part."""
    least: float
    """The lowest score among those."""


def take_from(video: Path, info: VideoInfo, scene: Scene, *, seed: int) -> Take:
    """Read the clip in the middle of a video, and draw the noise that masks it.

    Raises:
        DataError: The video cannot be read.
    """
    choice = scene.frame_choice
    grid = scene.grid if choice is None else choice.candidates
    if scene.sampling == "segment":
        indices = segment_test_indices(info.frames, grid.frames, 1)[0]
    else:
        indices = dense_test_indices(info.frames, grid.frames, scene.stride, 1)[0]
    # PyAV, because what it calls frame 60 is frame 60 in every file
    frames_THWC = cut_eval_crops(read_frames(video, indices, decoder="pyav"), grid.height, 1)[0]
    length = max(scene.grid.tokens, grid.t)
    noise = stream(seed, "visualize").random((1, 2, length), dtype=np.float32)
    take = Take(video, info, indices, frames_THWC, torch.from_numpy(noise))
    if choice is None:
        return take
    content = Content(patchify(take.clip_BCTHW, grid), _embedding(scene))
    slices_t = choice.choose(content, take.noise_B2N[:, 1, : grid.t])[0].numpy()
    places_T = (slices_t[:, None] * grid.tubelet + np.arange(grid.tubelet)).ravel()
    return take._replace(
        indices=[indices[place] for place in places_T], frames_THWC=frames_THWC[places_T]
    )


@torch.no_grad()
def look_at(take: Take, scene: Scene, spec: MaskSpec, *, target_stats: bool = False) -> Look:
    """Mask a clip, and fill it in if there is a model and room for it.

    Raises:
        RecipeError: The ratio hides nothing or everything.
    """
    masker = masker_for(spec, scene.grid)
    noise_B2N = take.noise_B2N[:, :, : scene.grid.tokens]
    if scene.model is None or not scene.fills_in:
        return Look(spec, masker(noise_B2N, content_of(take, scene)), None)
    scene.model.masker = masker
    result, mask = reconstruct(scene.model, take.clip_BCTHW, noise_B2N, target_stats=target_stats)
    return Look(spec, mask, result)


def motion_in(take: Take, scene: Scene) -> Motion | None:
    """Measure the motion of each token, if a strategy of the scene looks at it."""
    spec, grid = scene.motion, scene.grid
    if spec is None or spec.pool is None or spec.source is None:
        return None
    scores_BN = scores(content_of(take, scene), grid, spec.source)
    pool_BK = most_moving(scores_BN, pool_size(spec.pool, grid))
    least = float(scores_BN[0, pool_BK[0]].min())
    scores_thw = scores_BN[0].numpy().reshape(grid.t, grid.h, grid.w)
    return Motion(scores_thw, spec.source, spec.pool, least)


def content_of(take: Take, scene: Scene) -> Content:
    """Return what a strategy may look at in a clip."""
    return Content(patchify(take.clip_BCTHW, scene.grid), _embedding(scene))


def _embedding(scene: Scene) -> Callable[[Tensor], Tensor]:
    return _no_tokens if scene.model is None else scene.model.encoder.embed


def _no_tokens(tubelets_BNP: Tensor) -> Tensor:
    raise AssertionError("without a model, motion is measured on pixels")

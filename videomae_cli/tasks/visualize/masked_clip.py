"""Read a clip of a video, mask it, and reconstruct it if there is a model.

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

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import MaskSpec, MotionSource
from videomae_cli.data import frame_sampling, time_sampling
from videomae_cli.data.decode import read_frames, reference_decoder
from videomae_cli.data.decoding.video_info import VideoInfo
from videomae_cli.data.resize import center_crop
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.masking.motion import most_moving, pool_size, scores
from videomae_cli.models.targets import patchify
from videomae_cli.rng import stream
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, reconstruct
from videomae_cli.tasks.visualize.setup import Setup


class ClipView(NamedTuple):
    """One view of a video: the frames of a clip, resized and cropped."""

    path: Path
    info: VideoInfo
    indices: list[int]
    """Of the frames in the video."""
    frames_THWC: NDArray[np.uint8]
    noise_B2N: Tensor
    """Uniform noise that determines the masks; all masks use the same."""

    @property
    def clip_BCTHW(self) -> Tensor:  # noqa: N802  (a shape)
        """The frames in the layout of a model's input, uint8."""
        return torch.from_numpy(np.ascontiguousarray(self.frames_THWC)).permute(3, 0, 1, 2)[None]


class MaskedClip(NamedTuple):
    """A mask of the clip, and the reconstruction from its visible tokens."""

    spec: MaskSpec
    mask: Mask
    reconstruction: Reconstruction | None


class MotionMap(NamedTuple):
    """Motion score of each token, as the `motion` strategy computes it."""

    scores_thw: NDArray[np.float32]
    source: MotionSource
    pool: float
    """Fraction of the tokens in the pool."""
    threshold: float
    """Lowest score in the pool."""


def read_clip(
    video: Path,
    info: VideoInfo,
    setup: Setup,
    *,
    seed: int,
    read: Callable[[list[int]], NDArray[np.uint8]] | None = None,
) -> ClipView:
    """Read the clip in the middle of a video, and draw the noise for its masks.

    `read` returns frames (T, H, W, C) by number; None: they are decoded.

    Raises:
        DataError: The video cannot be read.
    """
    choice = setup.frame_choice
    grid = setup.grid if choice is None else choice.candidates
    indices = _select_frames(setup.clip if choice is None else setup.clip.candidates(), video, info)
    # the reference decoder, because its frame indices are exact for every file
    if read is None:
        frames_THWC = read_frames(
            video, indices, decoder=reference_decoder(video), channels=grid.channels
        )
    else:
        frames_THWC = read(indices)
    frames_THWC = center_crop(frames_THWC, grid.height, grid.width)
    length = max(setup.grid.tokens, grid.t)
    noise = stream(seed, "visualize").random((1, 2, length), dtype=np.float32)
    clip = ClipView(video, info, indices, frames_THWC, torch.from_numpy(noise))
    if choice is None:
        return clip
    content = build_content(clip, setup._replace(grid=grid))
    slices_t = choice.choose(content, clip.noise_B2N[:, 1, : grid.t])[0].numpy()
    positions_T = (slices_t[:, None] * grid.tubelet + np.arange(grid.tubelet)).ravel()
    return clip._replace(
        indices=[indices[position] for position in positions_T],
        frames_THWC=frames_THWC[positions_T],
    )


def _select_frames(clip: ClipSpec, video: Path, info: VideoInfo) -> list[int]:
    """Return the frame numbers of the clip in the middle of a video."""
    if clip.step_seconds is None:
        return frame_sampling.select_test_clips(clip, info.frames, 1)[0]
    measured = time_sampling.compute_times(video, info.frames, info.fps, info.times)
    return time_sampling.select_test_clips(clip, measured, 1)[0]


@torch.no_grad()
def mask_clip(clip: ClipView, setup: Setup, spec: MaskSpec) -> MaskedClip:
    """Mask a clip, and reconstruct it if `setup.reconstructs`.

    Raises:
        RecipeError: The ratio hides nothing or everything.
    """
    masker = masker_for(spec, setup.grid)
    noise_B2N = clip.noise_B2N[:, :, : setup.grid.tokens]
    if setup.model is None or not setup.reconstructs:
        return MaskedClip(spec, masker(noise_B2N, build_content(clip, setup)), None)
    setup.model.masker = masker
    reconstruction, mask = reconstruct(
        setup.model, clip.clip_BCTHW, noise_B2N, target_stats=setup.target_stats
    )
    return MaskedClip(spec, mask, reconstruction)


def measure_motion(clip: ClipView, setup: Setup) -> MotionMap | None:
    """Compute the motion score of each token, if a mask depends on motion."""
    grid = setup.grid
    spec = next((spec for spec in setup.masks if spec.strategy == "motion"), None)
    if spec is None or spec.pool is None or spec.source is None:
        return None
    scores_BN = scores(build_content(clip, setup), grid, spec.source)
    pool_BK = most_moving(scores_BN, pool_size(spec.pool, grid))
    threshold = float(scores_BN[0, pool_BK[0]].min())
    scores_thw = scores_BN[0].numpy().reshape(grid.t, grid.h, grid.w)
    return MotionMap(scores_thw, spec.source, spec.pool, threshold)


def build_content(clip: ClipView, setup: Setup) -> Content:
    """Return the pixels of a clip, and if there is a model its embedding."""
    # without a model, motion is measured on pixels, and nothing is embedded
    embed = torch.Tensor.float if setup.model is None else setup.model.encoder.embed
    return Content(patchify(clip.clip_BCTHW, setup.grid), embed)

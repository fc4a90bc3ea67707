"""Mask the clip in the middle of a video, and reconstruct it, as `videomae visualize-mask` does.

Shapes: T frames, H W pixels, C channels, t slices, h w rows and columns of tokens.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.api import results
from videomae_cli.api.session import Session
from videomae_cli.api.videos import check_array, check_rate, find_file, name_array, require_rate
from videomae_cli.data.decoding.channels import convert_channels
from videomae_cli.data.decoding.video_info import VideoInfo, probe_video
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.tasks.visualize.masked_clip import (
    ClipView,
    MaskedClip,
    build_content,
    mask_clip,
    read_clip,
)
from videomae_cli.tasks.visualize.setup import Options, Setup, set_up_model
from videomae_cli.tasks.visualize.strategies import select_masks

HIDDEN_GREY = 127


@torch.no_grad()
def mask_video(
    session: Session, video: object, options: Options, fps: float | None
) -> results.MaskedClip:
    """Return the mask of a video; raises as `Model.mask`."""
    with session.lock:
        setup = _set_up(session, options)
        clip = _read_clip(setup, video, fps, options.seed)
        masker = masker_for(setup.masks[0], setup.grid)
        mask = masker(clip.noise_B2N[:, :, : setup.grid.tokens], build_content(clip, setup))
    return _describe_mask(clip, MaskedClip(setup.masks[0], mask, None), setup.grid)


def reconstruct_video(
    session: Session, video: object, options: Options, fps: float | None
) -> results.Reconstruction:
    """Return the reconstruction of a video; raises as `Model.reconstruct`."""
    if not isinstance(session.network, Autoencoder):
        raise CheckpointError(
            f"{session.loaded.file}: a checkpoint of kind {session.config.kind} has no decoder",
            "load a pretrained model: a `videomae pretrain` run, or a pretraining checkpoint",
        )
    with session.lock:
        setup = _set_up(session, options)
        clip = _read_clip(setup, video, fps, options.seed)
        masked_clip = mask_clip(clip, setup, setup.masks[0])
    grid, found = setup.grid, masked_clip.reconstruction
    assert found is not None, "the setup has a model"
    return results.Reconstruction(
        _describe_mask(clip, masked_clip, grid),
        found.clip_BCTHW[0].permute(1, 2, 3, 0).contiguous().numpy(),
        found.error_BN[0].reshape(grid.t, grid.h, grid.w).numpy(),
        found.loss,
        found.psnr,
        found.statistics,
    )


def _set_up(session: Session, options: Options) -> Setup:
    """Return grid, mask and model; without an autoencoder there is a mask only."""
    config, network = session.config, session.network
    if isinstance(network, Autoencoder):
        setup = set_up_model(session.loaded, _copy_for_masks(network), options)
    else:
        masks = select_masks(options.strategy, options.ratio, slices=config.grid.t)
        setup = Setup(config.grid, config.clip(), masks, None, str(session.loaded.file))
    if len(setup.masks) != 1:
        raise UsageError(
            f"strategy {options.strategy!r}: these are {len(setup.masks)} strategies",
            "name one in each call",
        )
    return setup


def _copy_for_masks(autoencoder: Autoencoder) -> Autoencoder:
    """Return a model on the CPU whose mask can be changed; on a CPU it shares the weights."""
    is_on_cpu = next(autoencoder.parameters()).device.type == "cpu"
    return copy.copy(autoencoder) if is_on_cpu else copy.deepcopy(autoencoder).cpu()


def _read_clip(setup: Setup, video: object, fps: float | None, seed: int) -> ClipView:
    """Read the clip in the middle of a video.

    Raises:
        DataError: The video cannot be read, or the array has another shape or type.
        UsageError: Clips are sampled in time, and the frame rate of the array is unknown.
    """
    if not isinstance(video, np.ndarray | Tensor):
        path = find_file(video)
        check_rate(fps, has_arrays=False)
        return read_clip(path, probe_video(path), setup, seed=seed)
    name = name_array(0)
    frames_LHWC = check_array(video, name, setup.grid.channels)
    check_rate(fps, has_arrays=True)
    frames, height, width, _ = frames_LHWC.shape
    info = VideoInfo(frames, fps or 0.0, width, height)
    if setup.clip.step_seconds is not None:
        require_rate(name, info.fps, f"the model takes {setup.clip.describe()}")

    def read(indices: list[int]) -> NDArray[np.uint8]:
        return convert_channels(find_file(name), frames_LHWC[indices], setup.grid.channels)

    return read_clip(find_file(name), info, setup, seed=seed, read=read)


def _describe_mask(clip: ClipView, masked_clip: MaskedClip, grid: TokenGrid) -> results.MaskedClip:
    """Return a mask as arrays."""
    spec, mask, _ = masked_clip
    visible_thw = _spread(mask.visible_BV, torch.ones_like(mask.visible_BV), grid)
    return results.MaskedClip(
        str(clip.path),
        tuple(clip.indices),
        clip.frames_THWC,
        _cover_hidden(clip.frames_THWC, visible_thw, grid),
        visible_thw,
        _spread(mask.target_BM, torch.ones_like(mask.target_BM), grid),
        _spread(mask.target_BM, mask.counted_BM, grid),
        spec.strategy,
        spec.ratio,
    )


def _cover_hidden(
    frames_THWC: NDArray[np.uint8], visible_thw: NDArray[np.bool_], grid: TokenGrid
) -> NDArray[np.uint8]:
    """Return the frames with grey pixels in all tokens that are not visible."""
    visible_THW = visible_thw.repeat(grid.tubelet, axis=0)
    visible_THW = visible_THW.repeat(grid.patch, axis=1).repeat(grid.patch, axis=2)
    return np.where(visible_THW[..., None], frames_THWC, np.uint8(HIDDEN_GREY))


def _spread(index_BV: Tensor, value_BV: Tensor, grid: TokenGrid) -> NDArray[np.bool_]:
    """Return bool_thw: the values at these tokens of the only clip, False at all others."""
    flat_N = torch.zeros(grid.tokens, dtype=torch.bool)
    flat_N[index_BV[0]] = value_BV[0].bool()
    spread_thw: NDArray[np.bool_] = flat_N.reshape(grid.t, grid.h, grid.w).numpy()
    return spread_thw

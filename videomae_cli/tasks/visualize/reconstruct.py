"""Reconstruct the pixels of a masked clip from a model's predictions, using no hidden pixel.

A model with normalised targets predicts the pattern of a tubelet, but not its mean and standard
deviation. With those of the hidden tubelet itself (`target_stats`), even an untrained model seems
to work; here they are estimated from the visible tokens of the same clip. Frames of a tubelet that
are not predicted repeat the nearest predicted one, and are not counted in loss and PSNR.

Shapes: B batch (always 1 here), C channels, T frames, H W pixels, N tokens, V visible, M targets,
P values in a tubelet, or in those of its frames that are predicted.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask, select
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.targets import (
    NORMALIZERS,
    Normalizer,
    denormalize_tubelets,
    normalize_tubelets,
    patchify,
    unpatchify,
)

StatisticsSource = Literal["visible", "target", "none"]
# weights are distance ** -4: of the powers 2, 3, 4 and 6 the best on 16 real clips at ratio 0.75,
# and within 0.02 dB of the best at 0.9; a distance of 2 tokens per slice is as good as 1
DISTANCE_POWER = 4


class Reconstruction(NamedTuple):
    """A clip whose hidden tokens are filled with predictions, and the quality of these."""

    clip_BCTHW: Tensor
    """uint8; targets predicted, visible tokens copied from the input, all others black."""
    error_BN: Tensor
    """Root mean squared error of each hidden target, 0..1; NaN for all other tokens."""
    statistics: StatisticsSource
    """Source of the mean and standard deviation of the hidden tokens."""
    loss: float
    psnr: float
    """PSNR of the hidden pixels that were predicted, in dB, with these statistics."""
    ceiling_psnr: float | None
    """PSNR of a perfect prediction with the estimated statistics; None if none are estimated."""
    plain_psnr: float
    """PSNR without a model: each hidden token filled with its estimated mean."""
    predicted_frames: int
    """Frames of each tubelet that are predicted and counted; the others repeat them."""


@torch.no_grad()
def reconstruct(
    model: Autoencoder, clip_BCTHW: Tensor, noise_B2N: Tensor, *, target_stats: bool = False
) -> tuple[Reconstruction, Mask]:
    """Mask a clip (uint8), predict the hidden tokens, and fill them with the predictions.

    The model must be in evaluation mode. `target_stats` uses the mean and standard deviation of
    each hidden token of the original.
    """
    grid = model.grid
    loss, prediction_BMP, mask = model(clip_BCTHW, noise_B2N)
    tubelets_BNP = patchify(clip_BCTHW, grid)
    truth_BMP = model.target_frames(tubelets_BNP, mask.target_BM).float() / 255
    visible_BVP = model.target_frames(tubelets_BNP, mask.visible_BV).float() / 255
    mean_BMC, _ = estimate_statistics(visible_BVP, mask, grid)
    flat_BMP = mean_BMC.repeat(1, 1, truth_BMP.shape[-1] // grid.channels)
    filled_BMP, ceiling = prediction_BMP.float(), None
    if model.normalize != "none":
        filled_BMP, ceiling = _denormalize(model, tubelets_BNP, filled_BMP, mask, target_stats)
    filled_BMP = filled_BMP.clamp(0, 1)
    source: StatisticsSource = "target" if target_stats else "visible"
    reconstruction = Reconstruction(
        clip_BCTHW=_fill_clip(model, tubelets_BNP, filled_BMP, mask),
        error_BN=_compute_errors(filled_BMP, truth_BMP, mask, grid),
        statistics="none" if model.normalize == "none" else source,
        loss=float(loss),
        psnr=_compute_psnr(filled_BMP, truth_BMP, mask),
        ceiling_psnr=ceiling,
        plain_psnr=_compute_psnr(flat_BMP, truth_BMP, mask),
        predicted_frames=model.target_frames.count,
    )
    return reconstruction, mask


def estimate_statistics(
    visible_BVP: Tensor, mask: Mask, grid: TokenGrid, normalize: Normalizer = normalize_tubelets
) -> tuple[Tensor, Tensor]:
    """Estimate mean and standard deviation of the targets from the visible tokens.

    A weighted mean with inverse-distance weights over (slice, row, column), where neighbours on
    each axis have distance 1. No hidden pixel is used. `normalize` defines the statistics; by
    default those of each channel, mean_BMC and std_BMC.
    """
    _, mean_BVC, std_BVC = normalize(visible_BVP, grid.channels)
    distance_BMV = torch.cdist(
        _compute_coordinates(mask.target_BM, grid), _compute_coordinates(mask.visible_BV, grid)
    )
    weight_BMV = distance_BMV.clamp(min=0.5).pow(-DISTANCE_POWER)
    weight_BMV = weight_BMV / weight_BMV.sum(dim=-1, keepdim=True)
    return weight_BMV @ mean_BVC, weight_BMV @ std_BVC


def _denormalize(
    model: Autoencoder,
    tubelets_BNP: Tensor,
    prediction_BMP: Tensor,
    mask: Mask,
    target_stats: bool,
) -> tuple[Tensor, float | None]:
    """Return predictions as pixels_BMP, and the PSNR that a perfect prediction would have."""
    normalize = NORMALIZERS[model.normalize]
    values_BMP = model.scale_pixels(model.target_frames(tubelets_BNP, mask.target_BM))
    pattern_BMP, *statistics = normalize(values_BMP, model.grid.channels)
    if target_stats:
        return model.unscale_pixels(denormalize_tubelets(prediction_BMP, *statistics)), None
    visible_BVP = model.scale_pixels(model.target_frames(tubelets_BNP, mask.visible_BV))
    estimated = estimate_statistics(visible_BVP, mask, model.grid, normalize)
    best_BMP = model.unscale_pixels(denormalize_tubelets(pattern_BMP, *estimated))
    ceiling = _compute_psnr(best_BMP.clamp(0, 1), model.unscale_pixels(values_BMP), mask)
    return model.unscale_pixels(denormalize_tubelets(prediction_BMP, *estimated)), ceiling


def _fill_clip(model: Autoencoder, tubelets_BNP: Tensor, filled_BMP: Tensor, mask: Mask) -> Tensor:
    """Return clip_BCTHW, uint8: predictions, then the visible tokens over them, the rest black."""
    spread_BMP = (model.target_frames.spread(filled_BMP, mask.target_BM) * 255).round().byte()
    clip_BNP = _replace_tubelets(torch.zeros_like(tubelets_BNP), mask.target_BM, spread_BMP)
    visible_BVP = select(tubelets_BNP, mask.visible_BV)
    return unpatchify(_replace_tubelets(clip_BNP, mask.visible_BV, visible_BVP), model.grid)


def _replace_tubelets(tubelets_BNP: Tensor, index_BV: Tensor, new_BVP: Tensor) -> Tensor:
    return tubelets_BNP.scatter(1, index_BV.unsqueeze(-1).expand_as(new_BVP), new_BVP)


def _compute_coordinates(index_BV: Tensor, grid: TokenGrid) -> Tensor:
    """Return slice, row and column of tokens: coordinates_BV3."""
    inside = index_BV % grid.slice_tokens
    coordinates = (index_BV // grid.slice_tokens, inside // grid.w, inside % grid.w)
    return torch.stack(coordinates, dim=-1).float()


def _compute_errors(filled_BMP: Tensor, truth_BMP: Tensor, mask: Mask, grid: TokenGrid) -> Tensor:
    """Return the RMS error of each hidden target, NaN elsewhere: error_BN."""
    error_BM = (filled_BMP - truth_BMP).square().mean(-1).sqrt()
    error_BN = torch.full((len(error_BM), grid.tokens), torch.nan)
    return error_BN.scatter_(1, mask.target_BM, error_BM).scatter_(1, mask.visible_BV, torch.nan)


def _compute_psnr(filled_BMP: Tensor, truth_BMP: Tensor, mask: Mask) -> float:
    error_BM = (filled_BMP - truth_BMP).square().mean(dim=-1)
    error = float(error_BM[mask.counted_BM].mean())
    return math.inf if error == 0 else -10 * math.log10(error)

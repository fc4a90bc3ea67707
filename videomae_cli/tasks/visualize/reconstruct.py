"""From predictions back to pixels, without borrowing anything from what was hidden.

A model with normalised targets predicts the pattern of a tubelet, not its brightness or contrast.
Adding the hidden tubelet's own mean and deviation, as is often done, makes even an untrained model
look able: most of what one then sees is the original. So they are estimated here from the visible
tokens of the same clip, unless asked otherwise.

A model that predicts some frames of a tubelet says nothing of the others: they repeat the nearest
predicted one, and no figure counts them.

Shapes: B batch (always 1 here), C channels, T frames, H W pixels, N tokens, V visible, M targets,
P numbers in a tubelet, or in those of its frames that are predicted.
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
# weights fall with distance to this power: of 2, 3, 4 and 6 the best on 16 real clips at ratio
# 0.75, and within 0.02 dB of the best at 0.9; counting a slice as 2 tokens apart is as good as 1
DISTANCE_POWER = 4


class Reconstruction(NamedTuple):
    """A clip as the model fills it in, and how good that is."""

    clip_BCTHW: Tensor
    """uint8; targets predicted, visible tokens copied from the input, all others black."""
    error_BN: Tensor
    """Root mean squared error of each hidden target, 0..1; NaN for all other tokens."""
    statistics: StatisticsSource
    """Where brightness and contrast of the hidden tokens come from."""
    loss: float
    """The training loss on this clip."""
    psnr: float
    """Of the hidden pixels that were predicted, dB, with these statistics."""
    ceiling_psnr: float | None
    """What a perfect pattern would reach with estimated statistics; None where none are used."""
    plain_psnr: float
    """The same, each hidden token filled with its estimated mean: what needs no model."""
    predicted_frames: int
    """Frames of each tubelet that were predicted and are in the figures; the others repeat them."""


@torch.no_grad()
def reconstruct(
    model: Autoencoder, clip_BCTHW: Tensor, noise_B2N: Tensor, *, target_stats: bool = False
) -> tuple[Reconstruction, Mask]:
    """Hide, predict, fill in.

    Args:
        model: In evaluation mode.
        clip_BCTHW: uint8 pixels.
        noise_B2N: Decides the mask.
        target_stats: Take each hidden token's mean and deviation from the original.
    """
    grid = model.grid
    loss, prediction_BMP, mask = model(clip_BCTHW, noise_B2N)
    tubelets_BNP = patchify(clip_BCTHW, grid)
    truth_BMP = model.predicted(tubelets_BNP, mask.target_BM).float() / 255
    seen_BVP = model.predicted(tubelets_BNP, mask.visible_BV).float() / 255
    flat_BMC, _ = estimate_statistics(seen_BVP, mask, grid)
    flat_BMP = flat_BMC.repeat(1, 1, truth_BMP.shape[-1] // grid.channels)
    filled_BMP, ceiling = prediction_BMP.float(), None
    if model.normalize != "none":
        filled_BMP, ceiling = _denormalize(model, tubelets_BNP, filled_BMP, mask, target_stats)
    filled_BMP = filled_BMP.clamp(0, 1)
    # what is neither seen nor predicted stays black, and what is both is the input's own
    spread_BMP = (model.predicted.spread(filled_BMP, mask.target_BM) * 255).round().byte()
    whole_BNP = _replace_tubelets(torch.zeros_like(tubelets_BNP), mask.target_BM, spread_BMP)
    whole_BNP = _replace_tubelets(whole_BNP, mask.visible_BV, select(tubelets_BNP, mask.visible_BV))
    error_BM = (filled_BMP - truth_BMP).square().mean(-1).sqrt()
    error_BN = torch.full(tubelets_BNP.shape[:2], torch.nan)
    error_BN.scatter_(1, mask.target_BM, error_BM).scatter_(1, mask.visible_BV, torch.nan)
    source: StatisticsSource = "target" if target_stats else "visible"
    reconstruction = Reconstruction(
        clip_BCTHW=unpatchify(whole_BNP, grid),
        error_BN=error_BN,
        statistics="none" if model.normalize == "none" else source,
        loss=float(loss),
        psnr=_psnr(filled_BMP, truth_BMP, mask),
        ceiling_psnr=ceiling,
        plain_psnr=_psnr(flat_BMP, truth_BMP, mask),
        predicted_frames=model.predicted.count,
    )
    return reconstruction, mask


def _denormalize(
    model: Autoencoder,
    tubelets_BNP: Tensor,
    prediction_BMP: Tensor,
    mask: Mask,
    target_stats: bool,
) -> tuple[Tensor, float | None]:
    """Give patterns a brightness and a contrast: pixels_BMP, and the best PSNR they could reach."""
    normalize = NORMALIZERS[model.normalize]
    values_BMP = model.values(model.predicted(tubelets_BNP, mask.target_BM))
    pattern_BMP, *true = normalize(values_BMP, model.grid.channels)
    if target_stats:
        return model.pixels(denormalize_tubelets(prediction_BMP, *true)), None
    seen_BVP = model.values(model.predicted(tubelets_BNP, mask.visible_BV))
    estimated = estimate_statistics(seen_BVP, mask, model.grid, normalize)
    best_BMP = model.pixels(denormalize_tubelets(pattern_BMP, *estimated))
    ceiling = _psnr(best_BMP.clamp(0, 1), model.pixels(values_BMP), mask)
    return model.pixels(denormalize_tubelets(prediction_BMP, *estimated)), ceiling


def estimate_statistics(
    visible_BVP: Tensor, mask: Mask, grid: TokenGrid, normalize: Normalizer = normalize_tubelets
) -> tuple[Tensor, Tensor]:
    """Estimate mean and deviation of the targets from the visible tokens, near ones most.

    Inverse-distance weights over (slice, row, column), one token apart being distance 1 on each
    axis. Depends on no hidden pixel.

    Args:
        visible_BVP: Pixels of the visible tokens, 0..1, or what else is normalised.
        mask: Which tokens are where.
        grid: Token grid.
        normalize: Whose mean and deviation: by default of each channel, mean_BMC and std_BMC.
    """
    _, mean_BVC, std_BVC = normalize(visible_BVP, grid.channels)
    apart_BMV = torch.cdist(
        _compute_coordinates(mask.target_BM, grid), _compute_coordinates(mask.visible_BV, grid)
    )
    weight_BMV = apart_BMV.clamp(min=0.5).pow(-DISTANCE_POWER)
    weight_BMV = weight_BMV / weight_BMV.sum(dim=-1, keepdim=True)
    return weight_BMV @ mean_BVC, weight_BMV @ std_BVC


def _compute_coordinates(index_BV: Tensor, grid: TokenGrid) -> Tensor:
    """Return slice, row and column of tokens: places_BV3."""
    inside = index_BV % grid.slice_tokens
    places = (index_BV // grid.slice_tokens, inside // grid.w, inside % grid.w)
    return torch.stack(places, dim=-1).float()


def _replace_tubelets(tubelets_BNP: Tensor, index_BV: Tensor, new_BVP: Tensor) -> Tensor:
    return tubelets_BNP.scatter(1, index_BV.unsqueeze(-1).expand_as(new_BVP), new_BVP)


def _psnr(filled_BMP: Tensor, truth_BMP: Tensor, mask: Mask) -> float:
    error_BM = (filled_BMP - truth_BMP).square().mean(dim=-1)
    error = float(error_BM[mask.counted_BM].mean())
    return math.inf if error == 0 else -10 * math.log10(error)

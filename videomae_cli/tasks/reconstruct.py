"""From predictions back to pixels, without borrowing anything from what was hidden.

A model with normalised targets predicts the pattern of a tubelet, not its brightness or contrast.
Adding the hidden tubelet's own mean and deviation, as is often done, makes even an untrained model
look able: most of what one then sees is the original. So they are estimated here from the visible
tokens of the same clip, unless asked otherwise.

Shapes: B batch (always 1 here), C channels, T frames, H W pixels, N tokens, V visible, M targets,
P numbers in a tubelet.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask, select
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.targets import (
    denormalize_tubelets,
    normalize_tubelets,
    patchify,
    unpatchify,
)

Statistics = Literal["visible", "target", "none"]
# weights fall with distance to this power: of 2, 3, 4 and 6 the best on 16 real clips at ratio
# 0.75, and within 0.02 dB of the best at 0.9; counting a slice as 2 tokens apart is as good as 1
NEARNESS = 4


class Reconstruction(NamedTuple):
    """A clip as the model fills it in, and how good that is."""

    clip_BCTHW: Tensor
    """uint8; hidden tokens predicted, visible ones copied from the input."""
    error_BN: Tensor
    """Root mean squared error of each token, 0..1; NaN where nothing was predicted."""
    statistics: Statistics
    """Where brightness and contrast of the hidden tokens come from."""
    loss: float
    """The training loss on this clip."""
    psnr: float
    """Of the hidden pixels, dB, with these statistics."""
    ceiling_psnr: float | None
    """What a perfect pattern would reach with estimated statistics; None where none are used."""
    plain_psnr: float
    """The same, each hidden token filled with its estimated mean: what needs no model."""


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
    tubelets_BNP = patchify(clip_BCTHW, grid).float() / 255
    truth_BMP = select(tubelets_BNP, mask.target_BM)
    estimated = estimated_statistics(select(tubelets_BNP, mask.visible_BV), mask, grid)
    statistics: Statistics = "none"
    filled_BMP = prediction_BMP.float()
    ceiling = None
    if model.normalize == "patch":
        statistics = "target" if target_stats else "visible"
        pattern_BMP, *true = normalize_tubelets(truth_BMP, grid.channels)
        filled_BMP = denormalize_tubelets(filled_BMP, *(true if target_stats else estimated))
        if not target_stats:
            best_BMP = denormalize_tubelets(pattern_BMP, *estimated)
            ceiling = _psnr(best_BMP.clamp(0, 1), truth_BMP)
    filled_BMP = filled_BMP.clamp(0, 1)
    flat_BMP = estimated[0].repeat(1, 1, grid.tubelet_pixels // grid.channels)
    rows_BMP = mask.target_BM.unsqueeze(-1).expand_as(filled_BMP)
    whole_BNP = tubelets_BNP.scatter(1, rows_BMP, filled_BMP)
    error_BN = torch.full(tubelets_BNP.shape[:2], torch.nan)
    error_BN.scatter_(1, mask.target_BM, (filled_BMP - truth_BMP).square().mean(-1).sqrt())
    result = Reconstruction(
        clip_BCTHW=unpatchify((whole_BNP * 255).round().to(torch.uint8), grid),
        error_BN=error_BN,
        statistics=statistics,
        loss=float(loss),
        psnr=_psnr(filled_BMP, truth_BMP),
        ceiling_psnr=ceiling,
        plain_psnr=_psnr(flat_BMP, truth_BMP),
    )
    return result, mask


def estimated_statistics(visible_BVP: Tensor, mask: Mask, grid: TokenGrid) -> tuple[Tensor, Tensor]:
    """Estimate mean_BMC and std_BMC of the targets from the visible tokens, near ones most.

    Inverse-distance weights over (slice, row, column), one token apart being distance 1 on each
    axis. Depends on no hidden pixel.

    Args:
        visible_BVP: Pixels of the visible tokens, 0..1.
        mask: Which tokens are where.
        grid: Token grid.
    """
    _, mean_BVC, std_BVC = normalize_tubelets(visible_BVP, grid.channels)
    apart_BMV = torch.cdist(_places(mask.target_BM, grid), _places(mask.visible_BV, grid))
    weight_BMV = apart_BMV.clamp(min=0.5).pow(-NEARNESS)
    weight_BMV = weight_BMV / weight_BMV.sum(dim=-1, keepdim=True)
    return weight_BMV @ mean_BVC, weight_BMV @ std_BVC


def _places(index_BV: Tensor, grid: TokenGrid) -> Tensor:
    """Return slice, row and column of tokens: places_BV3."""
    inside = index_BV % grid.slice_tokens
    places = (index_BV // grid.slice_tokens, inside // grid.w, inside % grid.w)
    return torch.stack(places, dim=-1).float()


def _psnr(filled: Tensor, truth: Tensor) -> float:
    error = float((filled - truth).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)

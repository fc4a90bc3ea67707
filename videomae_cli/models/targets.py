"""Cut clips into tubelets and back, and normalise the pixels that a decoder predicts.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, M target tokens, P values in a tubelet.
The P values are ordered (frame, row, column, channel), with the channel changing fastest.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from videomae_cli.config.model import Normalize
from videomae_cli.grid import TokenGrid

EPS = 1e-6


def patchify(clip_BCTHW: Tensor, grid: TokenGrid) -> Tensor:
    """Cut clips of any dtype into tubelets_BNP, with one copy; in exported models with three."""
    expected = (grid.channels, grid.frames, grid.height, grid.width)
    assert clip_BCTHW.shape[1:] == expected, f"clip {tuple(clip_BCTHW.shape)}, grid {expected}"
    if torch.compiler.is_exporting():
        return patchify_in_steps(clip_BCTHW, grid)
    cut = clip_BCTHW.reshape(
        -1, grid.channels, grid.t, grid.tubelet, grid.h, grid.patch, grid.w, grid.patch
    )
    return cut.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(-1, grid.tokens, grid.tubelet_pixels)


def patchify_in_steps(clip_BCTHW: Tensor, grid: TokenGrid) -> Tensor:
    """Cut clips as `patchify` does, with no tensor of more than five axes, batch included.

    Some programs that read exported models support no more: ncnn, and several accelerators.
    """
    rows, pixels = grid.channels * grid.t * grid.tubelet * grid.h, grid.patch * grid.patch
    # rows of a patch before patches of a row; frames of a tubelet before its place; channels last
    x = clip_BCTHW.reshape(-1, rows, grid.patch, grid.w, grid.patch).transpose(2, 3)
    x = x.reshape(-1, grid.channels * grid.t, grid.tubelet, grid.slice_tokens, pixels)
    x = x.transpose(2, 3).reshape(-1, grid.channels, grid.tokens * grid.tubelet * pixels)
    return x.transpose(1, 2).reshape(-1, grid.tokens, grid.tubelet_pixels)


def unpatchify(tubelets_BNP: Tensor, grid: TokenGrid) -> Tensor:
    """Assemble clip_BCTHW from tubelets; the inverse of `patchify`."""
    cut = tubelets_BNP.reshape(
        -1, grid.t, grid.h, grid.w, grid.tubelet, grid.patch, grid.patch, grid.channels
    )
    shape = (-1, grid.channels, grid.frames, grid.height, grid.width)
    return cut.permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(shape)


def normalize_tubelets(pixels_BMP: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each token and channel of pixels in 0..1 to mean 0 and standard deviation 1.

    Also returns mean_BMC and std_BMC, for `denormalize_tubelets`. Source: VideoMAE V1: the variance
    is unbiased; the epsilon, which keeps tokens of one colour finite, is added to the root.
    """
    pixels = pixels_BMP.reshape(*pixels_BMP.shape[:-1], -1, channels)
    count = pixels.shape[-2]
    mean = pixels.mean(dim=-2, keepdim=True)
    centred = pixels - mean
    # two plain means: on a CPU several times faster than var_mean over a strided axis; the variance
    # of a single pixel is 0
    var = centred.square().mean(dim=-2, keepdim=True) * (count / max(count - 1, 1))
    std = var.sqrt() + EPS
    return centred.div_(std).flatten(-2), mean.squeeze(-2), std.squeeze(-2)


def normalize_jointly(values_BMP: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each token, over all its channels, to mean 0 and standard deviation 1.

    Also returns mean_BM1 and std_BM1, for `denormalize_tubelets`. Source: MAE-ST: the variance is
    unbiased, and the epsilon is added to it, inside the root.
    """
    count = values_BMP.shape[-1]
    mean_BM1 = values_BMP.mean(dim=-1, keepdim=True)
    centred_BMP = values_BMP - mean_BM1
    var_BM1 = centred_BMP.square().mean(dim=-1, keepdim=True) * (count / (count - 1))
    std_BM1 = (var_BM1 + EPS).sqrt()
    return centred_BMP.div_(std_BM1), mean_BM1, std_BM1


def denormalize_tubelets(normalized_BMP: Tensor, mean_BMC: Tensor, std_BMC: Tensor) -> Tensor:
    """Undo `normalize_tubelets`, or `normalize_jointly` with its mean_BM1 and std_BM1."""
    normalized = normalized_BMP.reshape(*mean_BMC.shape[:-1], -1, mean_BMC.shape[-1])
    return (normalized * std_BMC.unsqueeze(-2) + mean_BMC.unsqueeze(-2)).flatten(-2)


Normalizer = Callable[[Tensor, int], tuple[Tensor, Tensor, Tensor]]
NORMALIZERS: dict[Normalize, Normalizer] = {
    "patch": normalize_tubelets,
    "joint": lambda values_BMP, channels: normalize_jointly(values_BMP),
}

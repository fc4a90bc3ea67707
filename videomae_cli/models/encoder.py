"""The encoder: clip to tubelets to visible tokens to latents. Every model here has this one.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, D width,
P numbers in a tubelet.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.card import StackSpec
from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import select
from videomae_cli.models.layers import NORM_EPS, TubeletEmbed, blocks
from videomae_cli.models.positions import sine_table
from videomae_cli.models.targets import patchify

Channels = tuple[float, float, float]


class Encoder(nn.Module):
    """A plain vision transformer over tubelets: joint space-time attention, fixed positions.

    Args:
        grid: Token grid of a clip.
        stack: Width, depth, heads.
        final_norm: Normalise the latents; autoencoders do, classifiers normalise after pooling.
        drop_path: Stochastic depth of the last block; grows linearly from 0.
        mean: Per-channel mean of pixels in 0..1, for uint8 clips.
        std: Per-channel deviation.
    """

    positions_ND: Tensor
    scale_P: Tensor
    shift_P: Tensor

    def __init__(
        self,
        grid: TokenGrid,
        stack: StackSpec,
        *,
        final_norm: bool,
        drop_path: float = 0.0,
        mean: Channels = IMAGENET_MEAN,
        std: Channels = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.stack = stack
        self.patch_embed = TubeletEmbed(grid, stack.dim)
        self.blocks = blocks(stack, drop_path)
        self.norm = nn.LayerNorm(stack.dim, eps=NORM_EPS) if final_norm else nn.Identity()
        # a row of P numbers each: broadcasting over rows of 3 is slow on CPU
        pixels = grid.tubelet_pixels // grid.channels
        mean_C, std_C = (torch.tensor(x, dtype=torch.float64, device="cpu") for x in (mean, std))
        buffers = {
            "positions_ND": sine_table(grid.tokens, stack.dim),
            "scale_P": (1 / (255 * std_C)).float().repeat(pixels),
            "shift_P": (-mean_C / std_C).float().repeat(pixels),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, clip_BCTHW: Tensor, visible_BV: Tensor | None = None) -> Tensor:
        """Encode the visible tokens of clips, by default all: latents_BVD.

        Args:
            clip_BCTHW: uint8 pixels, or floats already normalised.
            visible_BV: Token indices, the same number for every clip.
        """
        return self.encode(patchify(clip_BCTHW, self.grid), visible_BV)

    def encode(self, tubelets_BNP: Tensor, visible_BV: Tensor | None = None) -> Tensor:
        """Encode clips already cut: latents_BVD."""
        if visible_BV is None:
            x_BVD = self.embed(tubelets_BNP) + self.positions_ND
        else:
            x_BVD = self.embed(select(tubelets_BNP, visible_BV)) + self.positions_ND[visible_BV]
        for block in self.blocks:
            x_BVD = block(x_BVD)
        latents_BVD: Tensor = self.norm(x_BVD)
        return latents_BVD

    def embed(self, tubelets_BVP: Tensor) -> Tensor:
        """Embed tubelets, uint8 pixels or normalised floats: tokens_BVD without positions."""
        if not tubelets_BVP.is_floating_point():
            tubelets_BVP = torch.addcmul(self.shift_P, tubelets_BVP.to(self.scale_P), self.scale_P)
        tokens_BVD: Tensor = self.patch_embed(tubelets_BVP)
        return tokens_BVD


def normalize_clip(
    clip_BCTHW: Tensor, mean: Channels = IMAGENET_MEAN, std: Channels = IMAGENET_STD
) -> Tensor:
    """Turn uint8 pixels into normalised float32, as the encoder does inside."""
    mean_C111, std_C111 = (
        torch.tensor(x, device=clip_BCTHW.device)[:, None, None, None] for x in (mean, std)
    )
    return torch.addcmul(-mean_C111 / std_C111, clip_BCTHW.float(), 1 / (255 * std_C111))

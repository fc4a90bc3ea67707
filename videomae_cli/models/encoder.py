"""The encoder: clip to tubelets to visible tokens to latents. Every model here has this one.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, D width,
P numbers in a tubelet.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import select
from videomae_cli.models import init
from videomae_cli.models.layers import NORM_EPS, TubeletEmbed, blocks
from videomae_cli.models.positions import positions_for, with_class_token
from videomae_cli.models.targets import patchify

Channels = tuple[float, float, float]


class Encoder(nn.Module):
    """A plain vision transformer over tubelets: joint space-time attention.

    Args:
        grid: Token grid of a clip.
        stack: Width, depth, heads; positions, class token, biases.
        final_norm: Normalise the latents; autoencoders do, classifiers normalise after pooling.
        drop_path: Stochastic depth of the last block; grows linearly from 0.
        mean: Per-channel mean of pixels in 0..1, for uint8 clips.
        std: Per-channel deviation.
    """

    scale_P: Tensor
    shift_P: Tensor

    def __init__(
        self,
        grid: TokenGrid,
        stack: TransformerConfig,
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
        self.class_token = init.learned(1, 1, stack.dim) if stack.class_token else None
        self.positions = positions_for(grid, stack)
        self.blocks = blocks(stack, drop_path)
        self.norm = nn.LayerNorm(stack.dim, eps=NORM_EPS) if final_norm else nn.Identity()
        # a row of P numbers each: broadcasting over rows of 3 is slow on CPU
        pixels = grid.tubelet_pixels // grid.channels
        mean_C, std_C = (torch.tensor(x, dtype=torch.float64, device="cpu") for x in (mean, std))
        buffers = {
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
        """Encode clips already cut: latents_BVD. What becomes of the class token is dropped."""
        positions_ND = self.positions()
        if visible_BV is None:
            x_BVD = self.embed(tubelets_BNP) + positions_ND
        else:
            x_BVD = self.embed(select(tubelets_BNP, visible_BV)) + positions_ND[visible_BV]
        visible = x_BVD.shape[1]
        x_BND = with_class_token(x_BVD, self.class_token, self.positions)
        for block in self.blocks:
            x_BND = block(x_BND)
        latents_BVD: Tensor = self.norm(x_BND[:, -visible:])
        return latents_BVD

    def embed(self, tubelets_BVP: Tensor) -> Tensor:
        """Embed tubelets, uint8 pixels or normalised floats: tokens_BVD without positions."""
        tokens_BVD: Tensor = self.patch_embed(self.normalize(tubelets_BVP))
        return tokens_BVD

    def normalize(self, pixels_BVP: Tensor) -> Tensor:
        """Turn uint8 pixels of tubelets, or of some of their frames, into what the network sees.

        Floats are normalised already, and returned as they are.
        """
        if pixels_BVP.is_floating_point():
            return pixels_BVP
        shift_P, scale_P = (x[: pixels_BVP.shape[-1]] for x in (self.shift_P, self.scale_P))
        return torch.addcmul(shift_P, pixels_BVP.to(scale_P), scale_P)

    def denormalize(self, values_BVP: Tensor) -> Tensor:
        """Undo `normalize`: pixels_BVP, 0..1."""
        shift_P, scale_P = (x[: values_BVP.shape[-1]] for x in (self.shift_P, self.scale_P))
        return (values_BVP - shift_P) / (255 * scale_P)


def normalize_clip(
    clip_BCTHW: Tensor, mean: Channels = IMAGENET_MEAN, std: Channels = IMAGENET_STD
) -> Tensor:
    """Turn uint8 pixels into normalised float32, as the encoder does inside."""
    mean_C111, std_C111 = (
        torch.tensor(x, device=clip_BCTHW.device)[:, None, None, None] for x in (mean, std)
    )
    return torch.addcmul(-mean_C111 / std_C111, clip_BCTHW.float(), 1 / (255 * std_C111))

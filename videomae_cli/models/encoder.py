"""The encoder, shared by all models: clip, tubelets, visible tokens, latents.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, D embedding
dimension, P values in a tubelet, c candidate slices.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import select
from videomae_cli.models.init import new_embedding
from videomae_cli.models.positions import build_positions, prepend_class_token
from videomae_cli.models.targets import patchify
from videomae_cli.models.transformer.layers import NORM_EPS, TubeletEmbed, build_blocks

if TYPE_CHECKING:
    from videomae_cli.masking.frame_selection import FrameChoice

Channels = tuple[float, ...]


class Encoder(nn.Module):
    """A plain vision transformer over tubelets, with joint space-time attention.

    Autoencoders have a final norm; classifiers normalise after pooling instead. `mean` and `std`
    are those of pixels in 0..1, per channel, for uint8 clips.
    """

    scale_P: Tensor
    shift_P: Tensor

    def __init__(
        self,
        grid: TokenGrid,
        config: TransformerConfig,
        *,
        final_norm: bool,
        drop_path: float = 0.0,
        mean: Channels = IMAGENET_MEAN,
        std: Channels = IMAGENET_STD,
    ) -> None:
        super().__init__()
        dim = config.dim
        self.grid = grid
        self.config = config
        self.patch_embed = TubeletEmbed(grid, dim)
        self.class_token = new_embedding(1, 1, dim) if config.class_token else None
        self.positions = build_positions(grid, config)
        self.blocks = build_blocks(config, drop_path)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS) if final_norm else nn.Identity()
        # rows of P values, although they repeat every C: broadcasting rows of C is slow on a CPU
        pixels = grid.tubelet_pixels // grid.channels
        mean_C, std_C = (torch.tensor(x, dtype=torch.float64, device="cpu") for x in (mean, std))
        for name, value_C in (("scale_P", 1 / (255 * std_C)), ("shift_P", -mean_C / std_C)):
            self.register_buffer(name, value_C.float().repeat(pixels), persistent=False)

    def forward(self, clip_BCTHW: Tensor, visible_BV: Tensor | None = None) -> Tensor:
        """Encode the visible tokens (by default all) of uint8 or normalised clips: latents_BVD."""
        return self.encode(patchify(clip_BCTHW, self.grid), visible_BV)

    def encode(
        self, tubelets_BNP: Tensor, visible_BV: Tensor | None = None, *, layer: int | None = None
    ) -> Tensor:
        """Encode tubelets: latents_BVD, without the output of the class token.

        `layer` is a number of blocks, after which the tokens are returned without any norm; None:
        after all blocks and the final norm.
        """
        positions_ND = self.positions()
        if visible_BV is None:
            x_BVD = self.embed(tubelets_BNP) + positions_ND
        else:
            x_BVD = self.embed(select(tubelets_BNP, visible_BV)) + positions_ND[visible_BV]
        visible = x_BVD.shape[1]
        x_BND = prepend_class_token(x_BVD, self.class_token, self.positions)
        for block in self.blocks[:layer]:
            x_BND = block(x_BND)
        latents_BVD: Tensor = x_BND[:, -visible:]
        return latents_BVD if layer is not None else self.norm(latents_BVD)

    def embed(self, tubelets_BVP: Tensor) -> Tensor:
        """Embed tubelets, uint8 pixels or normalised floats: tokens_BVD without positions."""
        tokens_BVD: Tensor = self.patch_embed(self.normalize(tubelets_BVP))
        return tokens_BVD

    def normalize(self, pixels_BVP: Tensor) -> Tensor:
        """Normalise uint8 pixels of tubelets, or of some of their frames.

        Floats are normalised already, and are returned as they are.
        """
        if pixels_BVP.is_floating_point():
            return pixels_BVP
        shift_P, scale_P = (x[: pixels_BVP.shape[-1]] for x in (self.shift_P, self.scale_P))
        return torch.addcmul(shift_P, pixels_BVP.to(scale_P), scale_P)

    def denormalize(self, values_BVP: Tensor) -> Tensor:
        """Undo `normalize`: pixels_BVP, 0..1."""
        shift_P, scale_P = (x[: values_BVP.shape[-1]] for x in (self.shift_P, self.scale_P))
        return (values_BVP - shift_P) / (255 * scale_P)


def cut_clips(
    clip_BCTHW: Tensor,
    encoder: Encoder,
    frame_choice: "FrameChoice | None",
    noise_Bc: Tensor | None = None,
) -> Tensor:
    """Cut clips into the encoder's tubelets_BNP.

    With a `frame_choice` clips are longer, and only the selected slices are used: at random with
    uniform `noise_Bc`; without, those with the most motion.
    """
    if frame_choice is None:
        return patchify(clip_BCTHW, encoder.grid)
    content = Content(patchify(clip_BCTHW, frame_choice.candidates), encoder.embed)
    return frame_choice.keep(content, noise_Bc)


def normalize_clip(
    clip_BCTHW: Tensor, mean: Channels = IMAGENET_MEAN, std: Channels = IMAGENET_STD
) -> Tensor:
    """Turn uint8 pixels into normalised float32, as the encoder does with uint8 clips."""
    mean_C111, std_C111 = (
        torch.tensor(x, device=clip_BCTHW.device)[:, None, None, None] for x in (mean, std)
    )
    return torch.addcmul(-mean_C111 / std_C111, clip_BCTHW.float(), 1 / (255 * std_C111))

"""The masked autoencoder: encode the visible tokens and predict the pixels of the target tokens.

Sources: VideoMAE, arXiv 2203.12602; MAE-ST, arXiv 2205.09113, which differs in positions, class
tokens, biases and targets. Differences from the originals: VideoMAE's targets are computed from
uint8 pixels and not from denormalised floats; the input of the decoder is first the visible and
then the target tokens, because attention does not depend on their order.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, M target tokens, D
embedding dimension, P values in a tubelet, or in those of its frames that are predicted.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from videomae_cli.config.model import InitRules, Normalize
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import Masker
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.models.encoder import Encoder, cut_clips
from videomae_cli.models.init import init_autoencoder
from videomae_cli.models.pixel_loss import pixel_loss
from videomae_cli.models.positions import build_positions, prepend_class_token
from videomae_cli.models.target_frames import TargetFrameSelector
from videomae_cli.models.targets import NORMALIZERS, patchify
from videomae_cli.models.transformer.layers import NORM_EPS, build_blocks

if TYPE_CHECKING:
    from videomae_cli.masking.frame_selection import FrameChoice


class AutoencoderOutput(NamedTuple):
    """Result of one forward pass."""

    loss: Tensor
    """Mean squared error over the counted targets, float32."""
    prediction_BMP: Tensor
    """Predicted pixels of the targets, normalised like the targets."""
    mask: Mask
    """The visible, predicted and counted tokens."""


class Decoder(nn.Module):
    """Transformer blocks over visible and target tokens; norm and head for the targets only."""

    def __init__(self, grid: TokenGrid, config: TransformerConfig, outputs: int) -> None:
        super().__init__()
        dim = config.dim
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if config.class_token else None
        self.positions = build_positions(grid, config)
        self.blocks = build_blocks(config)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.head = nn.Linear(dim, outputs)

    def forward(self, latents_BVD: Tensor, token_11D: Tensor, mask: Mask) -> Tensor:
        """Predict the targets from latents in the decoder's dimension: prediction_BMP."""
        x_BMD = self.run_blocks(latents_BVD, token_11D, mask, mask.target_BM.shape[1])
        prediction_BMP: Tensor = self.head(self.norm(x_BMD))
        return prediction_BMP

    def run_blocks(
        self, latents_BVD: Tensor, token_11D: Tensor, mask: Mask, outputs: int | None = None
    ) -> Tensor:
        """Pass class token, latents and mask tokens, in this order, through the blocks.

        With `outputs`, the last block computes so many last tokens: x_BMD.
        """
        positions_ND = self.positions()
        visible_BVD = latents_BVD + positions_ND[mask.visible_BV]
        target_BMD = token_11D + positions_ND[mask.target_BM]
        x_BND = torch.cat((visible_BVD, target_BMD), dim=1)
        x_BND = prepend_class_token(x_BND, self.class_token, self.positions)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            x_BND = block(x_BND, outputs if number == last else None)
        return x_BND


class Autoencoder(nn.Module):
    """The autoencoder of VideoMAE, or of MAE-ST if configured so.

    `encoder` has its final norm. `frame_choice` selects the slices of longer clips; None: all
    slices are used. `frame_tu` is the index inside its tubelet of each predicted frame, for each
    slice; None: all.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder_config: TransformerConfig,
        masker: Masker,
        normalize: Normalize = "patch",
        frame_choice: "FrameChoice | None" = None,
        *,
        frame_tu: Tensor | None = None,
        rules: InitRules = "videomae",
    ) -> None:
        super().__init__()
        dim = decoder_config.dim
        self.grid = encoder.grid
        self.frame_choice = frame_choice
        self.masker = masker
        self.normalize = normalize
        self.encoder = encoder
        self.encoder_to_decoder = nn.Linear(
            encoder.config.dim, dim, bias=decoder_config.biases == "all"
        )
        self.mask_token = nn.Parameter(torch.empty(1, 1, dim))
        self.target_frames = TargetFrameSelector(self.grid, frame_tu)
        self.decoder = Decoder(self.grid, decoder_config, self.target_frames.pixels)
        init_autoencoder(self, self.mask_token, rules)

    def forward(self, clip_BCTHW: Tensor, noise_B2N: Tensor) -> AutoencoderOutput:
        """Mask, encode and decode uint8 clips, and compute the loss.

        Row 0 of the uniform noise decides which tokens are visible; row 1 decides which of the
        others are targets, or which slices are used.
        """
        tubelets_BNP = self.cut(clip_BCTHW, noise_B2N[:, 1])
        content = Content(tubelets_BNP, self.encoder.embed)
        mask = self.masker(noise_B2N[:, :, : self.grid.tokens], content)
        latents_BVD = self.encoder.encode(tubelets_BNP, mask.visible_BV)
        prediction_BMP = self.decode(latents_BVD, mask)
        pixels_BMP = self.target_frames(tubelets_BNP, mask.target_BM)
        del tubelets_BNP, content  # the loss is where most memory is in use
        loss = pixel_loss(prediction_BMP, pixels_BMP, mask.counted_BM, self._make_targets)
        return AutoencoderOutput(loss, prediction_BMP, mask)

    def cut(self, clip_BCTHW: Tensor, noise_BN: Tensor) -> Tensor:
        """Cut clips into tubelets_BNP; from longer clips only the selected slices are used."""
        choice = self.frame_choice
        noise_Bc = None if choice is None else noise_BN[:, : choice.candidates.t]
        return cut_clips(clip_BCTHW, self.encoder, choice, noise_Bc)

    def encode(self, clip_BCTHW: Tensor, mask: Mask) -> Tensor:
        """Encode the visible tokens: latents_BVD."""
        latents_BVD: Tensor = self.encoder(clip_BCTHW, mask.visible_BV)
        return latents_BVD

    def decode(self, latents_BVD: Tensor, mask: Mask) -> Tensor:
        """Predict the targets: prediction_BMP."""
        prediction_BMP: Tensor = self.decoder(
            self.encoder_to_decoder(latents_BVD), self.mask_token, mask
        )
        return prediction_BMP

    def target(self, clip_BCTHW: Tensor, mask: Mask) -> Tensor:
        """Return the correct output of `decode`: target_BMP, float32.

        Clips are uint8; for `joint` targets, normalised floats are accepted too.
        """
        pixels_BMP = self.target_frames(patchify(clip_BCTHW, self.grid), mask.target_BM)
        with torch.no_grad():
            return self._make_targets(pixels_BMP)

    def _make_targets(self, pixels_BMP: Tensor) -> Tensor:
        values_BMP = self.scale_pixels(pixels_BMP)
        if self.normalize == "none":
            return values_BMP
        return NORMALIZERS[self.normalize](values_BMP, self.grid.channels)[0]

    def scale_pixels(self, pixels_BMP: Tensor) -> Tensor:
        """Scale uint8 pixels as they are before the target normalisation: values_BMP.

        For `joint` targets this is the input normalisation of the encoder, and floats, which are
        normalised already, are returned as they are; for other targets it is 0..1.
        """
        if self.normalize == "joint":
            return self.encoder.normalize(pixels_BMP)
        assert pixels_BMP.dtype == torch.uint8, "targets are pixels: pass uint8 clips"
        return pixels_BMP.float().div_(255)

    def unscale_pixels(self, values_BMP: Tensor) -> Tensor:
        """Undo `scale_pixels`: pixels_BMP, 0..1."""
        return self.encoder.denormalize(values_BMP) if self.normalize == "joint" else values_BMP

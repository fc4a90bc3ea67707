"""The masked autoencoder: encode the visible tokens, predict the pixels of the targets, compare.

Sources: VideoMAE, arXiv 2203.12602; MAE-ST, arXiv 2205.09113, which differs in positions, class
tokens, biases and targets. Different from the originals: clips arrive as uint8, so that VideoMAE's
targets are the pixels themselves and not a normalisation undone; the decoder takes visible tokens
first and then targets, whatever their places, because attention does not ask for an order.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible, M targets, D width,
P numbers in a tubelet, or in those of its frames that are predicted.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.config.model import InitRules, Normalize
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import Masker
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.frame_selection import FrameChoice
from videomae_cli.masking.mask import Mask
from videomae_cli.models import init
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.layers import NORM_EPS, blocks
from videomae_cli.models.positions import positions_for, with_class_token
from videomae_cli.models.target_frames import PredictedFrames
from videomae_cli.models.targets import NORMALIZERS, patchify


class AutoencoderOutput(NamedTuple):
    """What one forward pass gives."""

    loss: Tensor
    """Mean squared error over the counted targets, float32."""
    prediction_BMP: Tensor
    """Predicted pixels of the targets, normalised as the target is."""
    mask: Mask
    """What was seen, predicted and counted."""


class Decoder(nn.Module):
    """Blocks over visible and target tokens; norm and head for the targets only."""

    def __init__(self, grid: TokenGrid, stack: TransformerConfig, outputs: int) -> None:
        super().__init__()
        token_11D = torch.zeros(1, 1, stack.dim)
        self.class_token = nn.Parameter(token_11D) if stack.class_token else None
        self.positions = positions_for(grid, stack)
        self.blocks = blocks(stack)
        self.norm = nn.LayerNorm(stack.dim, eps=NORM_EPS)
        self.head = nn.Linear(stack.dim, outputs)

    def forward(self, latents_BVD: Tensor, token_11D: Tensor, mask: Mask) -> Tensor:
        """Predict the targets from latents already at the decoder's width: prediction_BMP."""
        x_BND = self.mix(latents_BVD, token_11D, mask)
        prediction_BMP: Tensor = self.head(self.norm(x_BND[:, -mask.target_BM.shape[1] :]))
        return prediction_BMP

    def mix(self, latents_BVD: Tensor, token_11D: Tensor, mask: Mask) -> Tensor:
        """Pass latents and mask tokens through the blocks: class token, visible, then targets."""
        positions_ND = self.positions()
        seen_BVD = latents_BVD + positions_ND[mask.visible_BV]
        asked_BMD = token_11D + positions_ND[mask.target_BM]
        x_BND = torch.cat((seen_BVD, asked_BMD), dim=1)
        x_BND = with_class_token(x_BND, self.class_token, self.positions)
        for block in self.blocks:
            x_BND = block(x_BND)
        return x_BND


class Autoencoder(nn.Module):
    """VideoMAE, and MAE-ST where stacks and targets say so.

    Args:
        encoder: Encoder with its final norm.
        decoder_stack: Width, depth, heads of the decoder; positions, class token, biases.
        grid: Token grid of a clip.
        masker: Noise and tokens to a mask.
        normalize: `patch` for targets of mean 0 and deviation 1 per token and channel; `joint` per
            token; `none` for pixels in 0..1.
        frame_choice: Takes longer clips, and says which slices of them are used.
        place_tu: Places of the predicted frames in the tubelets of each slice; None for all.
        rules: Whose rules draw the first weights.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder_stack: TransformerConfig,
        grid: TokenGrid,
        masker: Masker,
        normalize: Normalize = "patch",
        frame_choice: FrameChoice | None = None,
        *,
        place_tu: Tensor | None = None,
        rules: InitRules = "videomae",
    ) -> None:
        super().__init__()
        self.grid = grid
        self.frame_choice = frame_choice
        self.masker = masker
        self.normalize = normalize
        self.encoder = encoder
        self.encoder_to_decoder = nn.Linear(
            encoder.stack.dim, decoder_stack.dim, bias=decoder_stack.biases == "all"
        )
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder_stack.dim))
        self.predicted = PredictedFrames(grid, place_tu)
        self.decoder = Decoder(grid, decoder_stack, self.predicted.pixels)
        init.autoencoder(self, self.mask_token, rules)

    def forward(self, clip_BCTHW: Tensor, noise_B2N: Tensor) -> AutoencoderOutput:
        """Mask, encode, decode, compare.

        Args:
            clip_BCTHW: uint8 pixels.
            noise_B2N: Uniform noise; row 0 decides what is visible, row 1 narrows the targets or
                draws slices.
        """
        tubelets_BNP = self.cut(clip_BCTHW, noise_B2N[:, 1])
        content = Content(tubelets_BNP, self.encoder.embed)
        mask = self.masker(noise_B2N[:, :, : self.grid.tokens], content)
        latents_BVD = self.encoder.encode(tubelets_BNP, mask.visible_BV)
        prediction_BMP = self.decode(latents_BVD, mask)
        return AutoencoderOutput(
            self._loss(prediction_BMP, self._target(tubelets_BNP, mask), mask), prediction_BMP, mask
        )

    def cut(self, clip_BCTHW: Tensor, noise_BN: Tensor) -> Tensor:
        """Cut clips into tubelets_BNP; of longer clips only those of the chosen slices."""
        if self.frame_choice is None:
            return patchify(clip_BCTHW, self.grid)
        candidates = self.frame_choice.candidates
        content = Content(patchify(clip_BCTHW, candidates), self.encoder.embed)
        return self.frame_choice.keep(content, noise_BN[:, : candidates.t])

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
        """Return what `decode` is compared with: target_BMP, float32.

        Args:
            clip_BCTHW: uint8 pixels; for `joint` targets, normalised floats will do.
            mask: Which tokens are targets.
        """
        return self._target(patchify(clip_BCTHW, self.grid), mask)

    @torch.no_grad()
    def _target(self, tubelets_BNP: Tensor, mask: Mask) -> Tensor:
        values_BMP = self.values(self.predicted(tubelets_BNP, mask.target_BM))
        if self.normalize == "none":
            return values_BMP
        return NORMALIZERS[self.normalize](values_BMP, self.grid.channels)[0]

    def values(self, pixels_BMP: Tensor) -> Tensor:
        """Turn uint8 pixels into what is normalised: for `joint` what the network sees, else 0..1.

        Floats, which only `joint` takes, are what the network sees already.
        """
        if self.normalize == "joint":
            return self.encoder.normalize(pixels_BMP)
        assert pixels_BMP.dtype == torch.uint8, "targets are pixels: pass uint8 clips"
        return pixels_BMP.float().div_(255)

    def pixels(self, values_BMP: Tensor) -> Tensor:
        """Undo `values`: pixels_BMP, 0..1."""
        return self.encoder.denormalize(values_BMP) if self.normalize == "joint" else values_BMP

    def _loss(self, prediction_BMP: Tensor, target_BMP: Tensor, mask: Mask) -> Tensor:
        error_BM = F.mse_loss(prediction_BMP.float(), target_BMP, reduction="none").mean(dim=-1)
        return (error_BM * mask.counted_BM).sum() / mask.counted_BM.sum()

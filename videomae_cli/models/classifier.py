"""The classifier: encoder, pooling by a mean or by attention, norm, linear head.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, D embedding
dimension, K classes, c candidate slices.
"""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from videomae_cli.masking import Selector
from videomae_cli.masking.clip_content import Content
from videomae_cli.models.attentive import AttentivePooler
from videomae_cli.models.encoder import Encoder, cut_clips
from videomae_cli.models.init import init_normal
from videomae_cli.models.transformer.layers import NORM_EPS

if TYPE_CHECKING:
    from videomae_cli.masking.frame_selection import FrameChoice


class Classifier(nn.Module):
    """An encoder and a classification head, for fine-tuning.

    The encoder has no final norm, except in probes and under an attentive pooler. `head_scale` is a
    factor on the initial weights of the head; small, so that the first logits are almost 0.
    `selector` selects the tokens that are encoded, `frame_choice` the slices of longer clips; None:
    all.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        *,
        head_dropout: float = 0.0,
        head_scale: float = 0.001,
        pooling: Literal["mean", "first", "attentive"] = "mean",
        pooler_heads: int | None = None,
        selector: Selector | None = None,
        frame_choice: "FrameChoice | None" = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.is_encoder_frozen = False
        self.selector = selector
        self.frame_choice = frame_choice
        dim, heads = encoder.config.dim, pooler_heads or encoder.config.heads
        self.pooler = AttentivePooler(dim, heads) if pooling == "attentive" else None
        self.fc_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(dim, classes)
        init_normal(self)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)

    def freeze_encoder(self) -> None:
        """Stop training the encoder: no gradients, no stochastic depth.

        Its forward pass then stores nothing for the backward pass.
        """
        self.is_encoder_frozen = True
        self.encoder.requires_grad_(False)
        self.encoder.eval()

    def train(self, mode: bool = True) -> "Classifier":
        """Set the mode of all modules; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.is_encoder_frozen:
            self.encoder.eval()
        return self

    def features(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Return the input of the head for uint8 or normalised clips: features_BD.

        In training `noise_Bc` selects slices at random; None: the slices with the most motion.
        """
        with torch.no_grad() if self.is_encoder_frozen else nullcontext():
            latents_BVD = self._encode(clip_BCTHW, noise_Bc)
        features_BD: Tensor = self.fc_norm(self._pool(latents_BVD))
        return features_BD

    def _encode(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None) -> Tensor:
        tubelets_BNP = self.cut(clip_BCTHW, noise_Bc)
        return self.encoder.encode(tubelets_BNP, self.select(tubelets_BNP))

    def _pool(self, latents_BVD: Tensor) -> Tensor:
        if self.pooler is not None:
            pooled_BD: Tensor = self.pooler(latents_BVD)
            return pooled_BD
        return latents_BVD.mean(dim=1) if self.pooling == "mean" else latents_BVD[:, 0]

    def select(self, tubelets_BNP: Tensor) -> Tensor | None:
        """Return the numbers of the tokens that are encoded, visible_BV; None: all."""
        if self.selector is None:
            return None
        visible_BV: Tensor = self.selector(Content(tubelets_BNP, self.encoder.embed))
        return visible_BV

    def cut(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Cut clips into tubelets_BNP; from longer clips only the selected slices are used."""
        return cut_clips(clip_BCTHW, self.encoder, self.frame_choice, noise_Bc)

    def forward(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Classify clips of uint8 pixels or normalised floats: logits_BK."""
        logits_BK: Tensor = self.head(self.head_dropout(self.features(clip_BCTHW, noise_Bc)))
        return logits_BK

"""The classifier: encoder, mean over the tokens it saw (or the first), norm, one linear head.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, V visible tokens, D width, K classes,
c candidate slices.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from videomae_cli.masking import Selector
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.frame_selection import FrameChoice
from videomae_cli.models import init
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.layers import NORM_EPS
from videomae_cli.models.targets import patchify


class Classifier(nn.Module):
    """VideoMAE for fine-tuning.

    Args:
        encoder: Encoder without a final norm.
        classes: K.
        head_dropout: Dropout before the head.
        head_scale: Factor on the fresh head; small, so that the first logits are near zero.
        pooling: What is normalised and read: the mean over the tokens, or the first one.
        selector: Chooses the tokens to see; None sees all.
        frame_choice: Takes longer clips, and says which slices of them are used.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        *,
        head_dropout: float = 0.0,
        head_scale: float = 0.001,
        pooling: Literal["mean", "first"] = "mean",
        selector: Selector | None = None,
        frame_choice: FrameChoice | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.selector = selector
        self.frame_choice = frame_choice
        self.fc_norm = nn.LayerNorm(encoder.stack.dim, eps=NORM_EPS)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(encoder.stack.dim, classes)
        init.normal(self)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)

    def features(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Describe clips: features_BD, the input of the head.

        Args:
            clip_BCTHW: uint8 pixels or normalised floats.
            noise_Bc: Uniform noise that draws slices in training; without it the busiest are taken.
        """
        tubelets_BNP = self.cut(clip_BCTHW, noise_Bc)
        visible_BV = None
        if self.selector is not None:
            visible_BV = self.selector(Content(tubelets_BNP, self.encoder.embed))
        latents_BVD = self.encoder.encode(tubelets_BNP, visible_BV)
        pooled_BD = latents_BVD.mean(dim=1) if self.pooling == "mean" else latents_BVD[:, 0]
        features_BD: Tensor = self.fc_norm(pooled_BD)
        return features_BD

    def cut(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Cut clips into tubelets_BNP; of longer clips only those of the chosen slices."""
        if self.frame_choice is None:
            return patchify(clip_BCTHW, self.encoder.grid)
        content = Content(patchify(clip_BCTHW, self.frame_choice.candidates), self.encoder.embed)
        return self.frame_choice.keep(content, noise_Bc)

    def forward(self, clip_BCTHW: Tensor, noise_Bc: Tensor | None = None) -> Tensor:
        """Classify clips, uint8 pixels or normalised floats: logits_BK."""
        logits_BK: Tensor = self.head(self.head_dropout(self.features(clip_BCTHW, noise_Bc)))
        return logits_BK

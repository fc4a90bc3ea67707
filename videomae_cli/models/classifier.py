"""The classifier: encoder, mean over all tokens, norm, one linear head.

Shapes: B batch, C channels, T frames, H W pixels, D width, K classes.
"""

import torch
from torch import Tensor, nn

from videomae_cli.models import init
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.layers import NORM_EPS


class Classifier(nn.Module):
    """VideoMAE for fine-tuning.

    Args:
        encoder: Encoder without a final norm.
        classes: K.
        head_dropout: Dropout before the head.
        head_scale: Factor on the fresh head; small, so that the first logits are near zero.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        *,
        head_dropout: float = 0.0,
        head_scale: float = 0.001,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.fc_norm = nn.LayerNorm(encoder.stack.dim, eps=NORM_EPS)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(encoder.stack.dim, classes)
        init.normal(self)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)

    def features(self, clip_BCTHW: Tensor) -> Tensor:
        """Describe clips, uint8 pixels or normalised floats: features_BD, the input of the head."""
        features_BD: Tensor = self.fc_norm(self.encoder(clip_BCTHW).mean(dim=1))
        return features_BD

    def forward(self, clip_BCTHW: Tensor) -> Tensor:
        """Classify clips, uint8 pixels or normalised floats: logits_BK."""
        logits_BK: Tensor = self.head(self.head_dropout(self.features(clip_BCTHW)))
        return logits_BK

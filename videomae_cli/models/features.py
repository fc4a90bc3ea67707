"""Features: what an encoder of any model computes from a clip, at any layer, pooled or not.

Layer 0 is the tokens before the first block (embedding plus position), layer k the output of block
k. At the last layer the norm of the model is applied where the model applies it (see
`FeatureModel`); at all others there is no norm. No token is masked.

Shapes: V views, C channels, T frames, H W pixels, N tokens, P values in a tubelet, t slices, D
embedding dimension.
"""

from typing import Literal

from torch import Tensor, nn

from videomae_cli.errors import UsageError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder, cut_clips

Pooling = Literal["mean", "tokens", "per-slice"]


class FeatureModel(nn.Module):
    """Computes features of views: (V, D), (V, N, D) or (V, t, D) for `mean`, `tokens`, `per-slice`.

    The norm at the last layer: that of the encoder, if there is one, for each token before pooling
    (autoencoders, most bare encoders). A norm of the mean (classifiers, bare encoders of
    classifiers) is applied to the mean over all tokens or over a slice, and never to single tokens.
    `mean` at the last layer of a classifier is the input of its head, whatever that is.

    A classifier that selects tokens does so for `mean`; `tokens` and `per-slice` are always of all
    tokens. Models that choose among candidate slices choose those with the most motion.

    Args:
        model: An autoencoder, a classifier, or a bare encoder with its norm.
        layer: 0 to the number of blocks; negative numbers count from the end, -1 is the last.
        pooling: What is returned for each view.

    Raises:
        UsageError: The model has fewer layers.
    """

    def __init__(
        self,
        model: Autoencoder | Classifier | Backbone,
        layer: int = -1,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        self.model, self.pooling = model.eval(), pooling
        self.depth = len(model.encoder.blocks)
        self.layer = resolve_layer(layer, self.depth)

    @property
    def encoder(self) -> Encoder:
        """The encoder."""
        return self.model.encoder

    @property
    def is_last(self) -> bool:
        """Whether features are those of the last layer."""
        return self.layer == self.depth

    def forward(self, views_VCTHW: Tensor) -> Tensor:
        """Compute features of uint8 or normalised views."""
        model = self.model
        if isinstance(model, Classifier) and self.is_last and self.pooling == "mean":
            return model.features(views_VCTHW)
        frame_choice = None if isinstance(model, Backbone) else model.frame_choice
        tubelets_VNP = cut_clips(views_VCTHW, self.encoder, frame_choice)
        visible_VN = None
        if isinstance(model, Classifier) and self.pooling == "mean":
            visible_VN = model.select(tubelets_VNP)
        layer = None if self.is_last else self.layer
        return self._pool(self.encoder.encode(tubelets_VNP, visible_VN, layer=layer))

    def _pool(self, latents_VND: Tensor) -> Tensor:
        if self.pooling == "tokens":
            return latents_VND
        if self.pooling == "per-slice":
            views, _, dim = latents_VND.shape
            pooled = latents_VND.reshape(views, self.encoder.grid.t, -1, dim).mean(dim=2)
        else:
            pooled = latents_VND.mean(dim=1)
        if not self.is_last or getattr(self.model, "pooling", "mean") != "mean":
            return pooled  # a norm of another kind of pooling does not fit means
        norm: nn.Module | None = getattr(self.model, "fc_norm", None)
        normed: Tensor = pooled if norm is None else norm(pooled)
        return normed


def resolve_layer(layer: int, depth: int) -> int:
    """Return a layer as a number from 0 to `depth`; a UsageError if there is no such layer."""
    resolved = depth + 1 + layer if layer < 0 else layer
    if not 0 <= resolved <= depth:
        raise UsageError(
            f"--layer {layer}: the encoder has {depth} blocks",
            f"0 (before the first block) to {depth} (after the last), or -1 to {-depth - 1}",
        )
    return resolved

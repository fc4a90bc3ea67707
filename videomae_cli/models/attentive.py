"""The attentive pooler: a learned query attends to the tokens of a clip.

It takes the place of the mean over the tokens in front of a linear head. At the start of training
the attention weights are almost equal, so it starts as a linear layer of the mean.

Source: attentive probing in CAE (arXiv 2202.03026) and V-JEPA (arXiv 2404.08471). As in CAE there
is one cross-attention; V-JEPA adds a residual connection and an MLP. A projection of the query
would only be another parameter for the same vector, so there is none.

Shapes: B batch, N tokens, D embedding dimension, h heads, d embedding dimension of a head.
"""

from torch import Tensor, nn

from videomae_cli.models.init import new_embedding
from videomae_cli.models.transformer.attention import attend


class AttentivePooler(nn.Module):
    """Multi-head cross-attention from one learned query to all tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        assert dim % heads == 0, f"dimension {dim} is not a multiple of {heads} heads"
        self.heads = heads
        self.query = new_embedding(dim)  # a vector: no weight decay, as for other learned tokens
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, latents_BND: Tensor) -> Tensor:
        """Pool the tokens of each clip: pooled_BD."""
        batch, tokens, _ = latents_BND.shape
        kv_BN2hd = self.kv(latents_BND).reshape(batch, tokens, 2, self.heads, -1)
        k_BhNd, v_BhNd = kv_BN2hd.transpose(1, 3).unbind(2)
        q_Bh1d = self.query.to(k_BhNd.dtype).reshape(self.heads, 1, -1).expand(batch, -1, -1, -1)
        pooled_BD: Tensor = self.proj(attend(q_Bh1d, k_BhNd, v_BhNd).flatten(1))
        return pooled_BD

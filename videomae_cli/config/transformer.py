"""The configuration of a transformer, and the encoder sizes that a recipe can name."""

from videomae_cli.config.model import Biases, PositionEmbedding
from videomae_cli.config.spec import Spec


class TransformerConfig(Spec):
    """A sequence of transformer blocks, and the options of its input tokens."""

    dim: int
    depth: int
    heads: int
    mlp_dim: int
    positions: PositionEmbedding = "sine"
    """`sine`: fixed; `separable`: learned, one for space plus one for time."""
    class_token: bool = False
    biases: Biases = "qv"
    """`qv`: no bias for keys and for the projection into such a decoder; `all`: all biases."""


SIZES: dict[str, TransformerConfig] = {
    "micro": TransformerConfig(dim=48, depth=3, heads=3, mlp_dim=192),
    "tiny": TransformerConfig(dim=96, depth=4, heads=4, mlp_dim=384),
    "vits": TransformerConfig(dim=384, depth=12, heads=6, mlp_dim=1536),
    "vitb": TransformerConfig(dim=768, depth=12, heads=12, mlp_dim=3072),
    "vitl": TransformerConfig(dim=1024, depth=24, heads=16, mlp_dim=4096),
    "vith": TransformerConfig(dim=1280, depth=32, heads=16, mlp_dim=5120),
    "vitg": TransformerConfig(dim=1408, depth=40, heads=16, mlp_dim=6144),
}

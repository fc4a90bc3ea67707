"""The configuration of a transformer: dimensions, positions, class token, biases."""

from videomae_cli.config.model import Biases, Positions
from videomae_cli.config.spec import Spec


class TransformerConfig(Spec):
    """A sequence of transformer blocks, and the options of its input tokens."""

    dim: int
    """Embedding dimension."""
    depth: int
    """Number of blocks."""
    heads: int
    """Attention heads."""
    mlp_dim: int
    """Hidden dimension of the MLP."""
    positions: Positions = "sine"
    """Position embedding: `sine`: fixed; `separable`: learned, one for space plus one for time."""
    class_token: bool = False
    """Whether there is a learned class token."""
    biases: Biases = "qv"
    """`qv`: no bias for keys and for the projection into such a decoder; `all`: all biases."""

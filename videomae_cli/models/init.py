"""First values of the weights. Draws from torch's global generator; the caller seeds it.

What the models do not pass here keeps what torch's layers gave it: the tubelet embedding,
`encoder_to_decoder`, and LayerNorms at weight 1, bias 0. Source: VideoMAE V1.
"""

from torch import Tensor, nn


def xavier(module: nn.Module) -> None:
    """Draw every linear weight below `module` Xavier-uniform and zero its bias (autoencoder)."""
    for linear in _linears(module):
        nn.init.xavier_uniform_(linear.weight)


def normal(module: nn.Module, std: float = 0.02) -> None:
    """Draw every linear weight below `module` normal, cut at +-2; zero its bias (classifier)."""
    for linear in _linears(module):
        nn.init.trunc_normal_(linear.weight, std=std)


def token(parameter: Tensor, std: float = 0.02) -> None:
    """Draw a token normal, cut at one deviation."""
    nn.init.trunc_normal_(parameter, std=std, a=-std, b=std)


def _linears(module: nn.Module) -> list[nn.Linear]:
    linears = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    for linear in linears:
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
    return linears

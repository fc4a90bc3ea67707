"""First values of the weights. Draws from torch's global generator; the caller seeds it.

What no rule names keeps what torch's layers gave it: LayerNorms at weight 1, bias 0; VideoMAE's
tubelet embedding and `encoder_to_decoder`; the bias of MAE-ST's tubelet embedding. Under both rules
learned positions and the encoder's class token are `learned`, and the decoder's starts at zero.
Sources: VideoMAE V1; MAE-ST with its `trunc_init` off.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.model import InitRules


def autoencoder(model: nn.Module, mask_token: Tensor, rules: InitRules) -> None:
    """Draw the weights of an autoencoder; `model` has an `encoder` and a `decoder`."""
    if rules == "mae-st":
        _xavier_apart(model)
        nn.init.normal_(mask_token, std=0.02)
        return
    xavier(model.get_submodule("encoder.blocks"))
    xavier(model.get_submodule("decoder"))
    token(mask_token)


def xavier(module: nn.Module) -> None:
    """Draw every linear weight below `module` Xavier-uniform and zero its bias (VideoMAE)."""
    for linear in _linears(module):
        nn.init.xavier_uniform_(linear.weight)


def normal(module: nn.Module, std: float = 0.02) -> None:
    """Draw every linear weight below `module` normal, cut at +-2; zero its bias (classifier)."""
    for linear in _linears(module):
        nn.init.trunc_normal_(linear.weight, std=std)


def token(parameter: Tensor, std: float = 0.02) -> None:
    """Draw a token normal, cut at one deviation."""
    nn.init.trunc_normal_(parameter, std=std, a=-std, b=std)


def learned(*shape: int, std: float = 0.02) -> nn.Parameter:
    """Return a position table, or an encoder's class token: normal, cut at +-2 (MAE-ST)."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=std))


@torch.no_grad()
def _xavier_apart(model: nn.Module) -> None:
    """Draw all matrices Xavier-uniform; queries, keys and values as the three that they are."""
    xavier(model)
    for name, parameter in model.named_parameters():
        if name.endswith("patch_embed.proj.weight"):
            nn.init.xavier_uniform_(parameter.flatten(1))  # a view
        if name.endswith("attn.qkv.weight"):
            for matrix_DD in parameter.chunk(3):
                nn.init.xavier_uniform_(matrix_DD)


def _linears(module: nn.Module) -> list[nn.Linear]:
    linears = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    for linear in linears:
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
    return linears

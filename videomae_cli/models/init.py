"""Initialisation of the weights, drawn from torch's global generator, which the caller seeds.

Parameters without a rule here keep the initial values of torch's layers: LayerNorms (weight 1,
bias 0), VideoMAE's tubelet embedding and `encoder_to_decoder`, and the bias of MAE-ST's tubelet
embedding. Under both rules learned positions and the encoder's class token are drawn by
`new_embedding`, and the decoder's class token is zero.
Sources: VideoMAE V1; MAE-ST with its `trunc_init` off.
"""

import torch
from torch import Tensor, nn

from videomae_cli.config.model import InitRules

STD = 0.02


def init_autoencoder(model: nn.Module, mask_token: Tensor, rules: InitRules) -> None:
    """Initialise an autoencoder; `model` has an `encoder` and a `decoder`."""
    if rules == "mae-st":
        _init_mae_st(model)
        nn.init.normal_(mask_token, std=STD)
        return
    init_xavier(model.get_submodule("encoder.blocks"))
    init_xavier(model.get_submodule("decoder"))
    nn.init.trunc_normal_(mask_token, std=STD, a=-STD, b=STD)


def init_xavier(module: nn.Module) -> None:
    """Draw all linear weights of a module Xavier-uniform; set the biases to 0 (VideoMAE)."""
    for linear in _linears_with_zero_bias(module):
        nn.init.xavier_uniform_(linear.weight)


def init_normal(module: nn.Module) -> None:
    """Draw all linear weights normal, truncated at -2 and 2; set the biases to 0 (classifier)."""
    for linear in _linears_with_zero_bias(module):
        nn.init.trunc_normal_(linear.weight, std=STD)


def new_embedding(*shape: int) -> nn.Parameter:
    """Return a position embedding or an encoder's class token: normal, truncated at -2 and 2."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=STD))


@torch.no_grad()
def _init_mae_st(model: nn.Module) -> None:
    """Draw all matrices Xavier-uniform; queries, keys and values as three matrices."""
    init_xavier(model)
    for name, parameter in model.named_parameters():
        if name.endswith("patch_embed.proj.weight"):
            nn.init.xavier_uniform_(parameter.flatten(1))  # a view
        if name.endswith("attn.qkv.weight"):
            for matrix_DD in parameter.chunk(3):
                nn.init.xavier_uniform_(matrix_DD)


def _linears_with_zero_bias(module: nn.Module) -> list[nn.Linear]:
    """Return the linear layers of a module, with their biases set to 0."""
    linears = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    for linear in linears:
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
    return linears

"""Activation checkpointing: compute activations again in the backward pass instead of storing them.

The same kernels run on the same values with the same dropped paths, so losses and gradients are
bit-identical.
"""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from videomae_cli.config.training import Recompute
from videomae_cli.models.transformer.layers import Block


def checkpoint_activations(model: nn.Module, recompute: Recompute) -> None:
    """Make every block of a model store less for the backward pass.

    With True its input alone, for about a third more computation; with "selective" two more
    tensors, because neither attention's last projection nor the MLP's second layer are repeated.
    """
    for module in model.modules():
        if isinstance(module, Block):
            module.recomputes = recompute == "selective"
            if recompute is True:
                # set on the instance, so that parameter names and module types do not change
                module.forward = partial(  # type: ignore[method-assign]
                    checkpoint, module.forward, use_reentrant=False
                )

"""The moving average of the weights (EMA): smoother than the last step's, and what is evaluated.

    average = decay * average + (1 - decay) * weights,    decay = min(limit, (1 + n) / (10 + n))

after step n, counted from 0, so that the random weights of the start are soon forgotten (the ramp
is TensorFlow's). It costs the memory of one more model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """An average of a model's weights.

    Args:
        model: Not prepared; the average begins with its weights.
        limit: Decay once the ramp is over, below 1.
    """

    def __init__(self, model: nn.Module, limit: float) -> None:
        self.limit = limit
        self.tensors = {name: value.detach().clone() for name, value in _weights(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights after a step into the average."""
        decay = min(self.limit, (1 + step) / (10 + step))
        held = _weights(model)
        for name, average in self.tensors.items():
            average.lerp_(held[name], 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        """Put the average into a model."""
        model.load_state_dict(self.tensors)

    @contextmanager
    def applied_to(self, model: nn.Module) -> Iterator[None]:
        """Put the average into a model, and its own weights back afterwards, bit for bit."""
        own = {name: value.detach().clone() for name, value in _weights(model).items()}
        self.copy_to(model)
        try:
            yield
        finally:
            model.load_state_dict(own)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.state_dict())

"""Exponential moving average (EMA) of a model's weights; it is evaluated instead of the weights.

    average = decay * average + (1 - decay) * weights,    decay = min(limit, (1 + n) / (10 + n))

after step n, counted from 0. The decay ramps up so that the random initial weights soon lose their
influence (the ramp is TensorFlow's). The average needs the memory of one more model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """A moving average of the weights of a model; its decay rises to `limit`, below 1."""

    def __init__(self, model: nn.Module, limit: float) -> None:
        self.limit = limit
        self.tensors = {name: value.detach().clone() for name, value in _weights(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Add the weights after a step to the average."""
        decay = min(self.limit, (1 + step) / (10 + step))
        weights = _weights(model)
        for name, average in self.tensors.items():
            average.lerp_(weights[name], 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        """Replace the weights of a model by the average."""
        model.load_state_dict(self.tensors)

    @contextmanager
    def applied_to(self, model: nn.Module) -> Iterator[None]:
        """Replace the weights of a model by the average; restore them exactly at the end."""
        weights = {name: value.detach().clone() for name, value in _weights(model).items()}
        self.copy_to(model)
        try:
            yield
        finally:
            model.load_state_dict(weights)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.state_dict())

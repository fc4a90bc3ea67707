"""The loss of the autoencoder: the mean squared error of predicted pixels.

On a CPU targets, errors and their gradient are computed a few tokens at a time: the values between
two operations stay in the processor's cache, and only the errors are stored.

Shapes: B batch, M target tokens, P predicted values of a token.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

SLICE = 2**19
"""Values that are computed at a time: 2 MiB in float32."""

MakeTargets = Callable[[Tensor], Tensor]
"""uint8 pixels of tokens, (..., P) -> the normalised values to predict, float32."""


def pixel_loss(
    prediction_BMP: Tensor, pixels_BMP: Tensor, counted_BM: Tensor, make_targets: MakeTargets
) -> Tensor:
    """Return the mean squared error over the counted tokens, float32."""
    if prediction_BMP.device.type == "cpu" and not torch.compiler.is_compiling():
        error_BM: Tensor = _TokenErrors.apply(prediction_BMP, pixels_BMP, make_targets)
    else:
        with torch.no_grad():
            target_BMP = make_targets(pixels_BMP)
        squares_BMP = F.mse_loss(prediction_BMP.float(), target_BMP, reduction="none")
        error_BM = squares_BMP.mean(dim=-1)
    return (error_BM * counted_BM).sum() / counted_BM.sum()


class _TokenErrors(Function):
    """The mean squared error of each token, computed in slices: error_BM, float32."""

    @staticmethod
    def forward(
        ctx: Any, prediction_BMP: Tensor, pixels_BMP: Tensor, make_targets: MakeTargets
    ) -> Tensor:
        prediction, pixels = prediction_BMP.flatten(0, 1), pixels_BMP.flatten(0, 1)
        difference = torch.empty_like(prediction)
        error = torch.empty(len(prediction))
        for rows in _slices(prediction):
            part = prediction[rows].float() - make_targets(pixels[rows])
            if ctx.needs_input_grad[0]:
                difference[rows] = part
            torch.mean(part.square_(), dim=-1, out=error[rows])
        ctx.save_for_backward(difference.view(prediction_BMP.shape))
        return error.view(prediction_BMP.shape[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (difference_BMP,) = ctx.saved_tensors
        factor_BM1 = (grads[0] / difference_BMP.shape[-1]).mul_(2).unsqueeze(-1)
        gradient_BMP = torch.empty_like(difference_BMP)
        difference, factor, gradient = (
            x.flatten(0, 1) for x in (difference_BMP, factor_BM1, gradient_BMP)
        )
        for rows in _slices(difference):
            gradient[rows] = difference[rows] * factor[rows]
        return gradient_BMP, None, None


def _slices(values_XP: Tensor) -> Iterator[slice]:
    """Yield slices of the rows with at most `SLICE` values, or one row."""
    step = max(1, SLICE // values_XP.shape[-1])
    for first in range(0, len(values_XP), step):
        yield slice(first, first + step)

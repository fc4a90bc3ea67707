"""Define the input of content-dependent masks: the pixels of clips, and their embedded tokens.

Shapes: B batch, N tokens, P values in a tubelet, D embedding dimension.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Content(NamedTuple):
    """A batch of complete clips, before masking."""

    tubelets_BNP: Tensor
    """Pixels, uint8 or normalised floats."""
    embed: Callable[[Tensor], Tensor]
    """The tubelet embedding of the model, tubelets_BNP to tokens_BND, without positions."""

    @torch.no_grad()
    def tokens(self) -> Tensor:
        """Embed the complete clips: tokens_BND without positions and without gradient."""
        return self.embed(self.tubelets_BNP)


def make_black_content(tokens: int) -> Content:
    """Return one clip of black pixels on the CPU, with the identity as embedding."""
    black_1N1 = torch.zeros(1, tokens, 1, dtype=torch.uint8, device="cpu")
    return Content(black_1N1, lambda pixels: pixels.float())

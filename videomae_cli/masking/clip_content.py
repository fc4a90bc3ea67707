"""What a strategy may look at besides noise: the pixels of a clip, and its embedded tokens.

Shapes: B batch, N tokens, P numbers in a tubelet, D width.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Content(NamedTuple):
    """A batch of whole clips, before anything is hidden."""

    tubelets_BNP: Tensor
    """Pixels, uint8 or normalised floats."""
    embed: Callable[[Tensor], Tensor]
    """tubelets_BNP to tokens_BND, without positions: the model's own embedding."""

    @torch.no_grad()
    def tokens(self) -> Tensor:
        """Embed the whole clips: tokens_BND without positions or gradient."""
        return self.embed(self.tubelets_BNP)


def nothing(tokens: int) -> Content:
    """Return one clip of black pixels that embed as themselves, on the CPU."""
    black_1N1 = torch.zeros(1, tokens, 1, dtype=torch.uint8, device="cpu")
    return Content(black_1N1, lambda pixels: pixels.float())

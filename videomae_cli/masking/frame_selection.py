"""Information-intensive frame selection: read more slices than are used, keep those with motion.

Source: EVEREST, arXiv 2211.10636, §3.3 of its ICML text; its authors released no code for it. The
text leaves some choices open; here the candidates have the stride of the clip (or one frame per
segment); the selected slices keep their order and get the positions of a clip without gaps; the
pool is computed again among them; in tests, the slices with the most tokens in the pool are used.
Rounding: of N candidate tokens, floor(pool * N) are in the pool.
Depends on content as `motion` does, and in training on one value of noise per candidate slice.
Worked count: 16 frames, tubelet 2, oversample 1.5: 24 frames are read, 12 slices, 8 are used.

Shapes: B batch, N tokens, t slices used, c candidate slices, P values in a tubelet,
X any dimensions.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from videomae_cli.config.model import MotionSource
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import select
from videomae_cli.masking.motion import most_moving, pool_size, scores

LEAST_WEIGHT = 1e-3  # of a slice without tokens in the pool, so that it can still be drawn


class FrameChoice(NamedTuple):
    """Selection of slices among candidates."""

    candidates: TokenGrid
    """Token grid of the clip as it is read."""
    slices: int
    """t, number of slices used."""
    pool: float
    """Fraction of the candidate tokens, those with the most motion, that are in the pool."""
    source: MotionSource
    """What is compared between slices: embeddings or pixels."""

    def keep(self, content: Content, noise_Bc: Tensor | None) -> Tensor:
        """Return the tubelets_BNP of the selected slices.

        Args:
            content: The candidates.
            noise_Bc: Uniform noise: slices are drawn without replacement, in proportion to their
                tokens in the pool. None selects those with the most, the earlier one of equals.
        """
        index_Bt = self.choose(content, noise_Bc)
        tubelets = content.tubelets_BNP
        slices_BcX = tubelets.reshape(tubelets.shape[0], self.candidates.t, -1)
        return select(slices_BcX, index_Bt).reshape(tubelets.shape[0], -1, tubelets.shape[-1])

    def choose(self, content: Content, noise_Bc: Tensor | None) -> Tensor:
        """Select slices: index_Bt, ascending."""
        grid = self.candidates
        pool_BK = most_moving(scores(content, grid, self.source), pool_size(self.pool, grid))
        count_Bc = torch.zeros(pool_BK.shape[0], grid.t, device=pool_BK.device)
        ones_BK = torch.ones_like(pool_BK, dtype=count_Bc.dtype)
        count_Bc.scatter_add_(1, pool_BK // grid.slice_tokens, ones_BK)
        if noise_Bc is None:
            order_Bc = count_Bc.argsort(dim=1, descending=True, stable=True)
        else:
            # the smallest of exponential variables with these rates: draws without replacement
            exponential_Bc = -torch.log1p(-noise_Bc) / count_Bc.clamp(min=LEAST_WEIGHT)
            order_Bc = exponential_Bc.argsort(dim=1, stable=True)
        return order_Bc[:, : self.slices].sort(dim=1).values

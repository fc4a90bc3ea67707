"""Information-intensive frame selection: of more slices than are used, those where more moves.

Source: EVEREST, arXiv 2211.10636, §3.3 of its ICML text; its authors released no program. What the
text leaves open is decided here: candidates follow one another at the clip's own stride (or one per
segment); the chosen slices keep their order in time and get the positions of an unbroken clip; the
pool is ranked again among them; in tests the slices with the most tokens in the pool are taken.
Rounding: of N candidate tokens, floor(pool * N) are ranked into the pool.
Depends on content as `motion` does, and in training on one value of noise per candidate slice.
Worked count: 16 frames, tubelet 2, oversample 1.5: 24 frames are read, 12 slices, 8 are used.

Shapes: B batch, N tokens, t slices used, c candidate slices, P numbers in a tubelet,
X anything.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from videomae_cli.config.model import Source
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import select
from videomae_cli.masking.motion import most_moving, pool_size, scores

LEAST_WEIGHT = 1e-3  # of a slice without any token in the pool: it can still be drawn


class FrameChoice(NamedTuple):
    """How slices are chosen among candidates."""

    candidates: TokenGrid
    """The clip as it is read."""
    slices: int
    """t, how many are used."""
    pool: float
    """Fraction of the candidate tokens, most moving first, that make a slice worth its place."""
    source: Source
    """What is compared between slices."""

    def keep(self, content: Content, noise_Bc: Tensor | None) -> Tensor:
        """Return the tubelets_BNP of the chosen slices.

        Args:
            content: The candidates.
            noise_Bc: Uniform noise: slices are drawn without replacement, in proportion to their
                tokens in the pool. None takes those that have the most, the earlier of equals.
        """
        index_Bt = self.choose(content, noise_Bc)
        tubelets = content.tubelets_BNP
        slices_BcX = tubelets.reshape(tubelets.shape[0], self.candidates.t, -1)
        return select(slices_BcX, index_Bt).reshape(tubelets.shape[0], -1, tubelets.shape[-1])

    def choose(self, content: Content, noise_Bc: Tensor | None) -> Tensor:
        """Return which slices: index_Bt, ascending."""
        grid = self.candidates
        pool_BK = most_moving(scores(content, grid, self.source), pool_size(self.pool, grid))
        count_Bc = torch.zeros(pool_BK.shape[0], grid.t, device=pool_BK.device)
        held_BK = torch.ones_like(pool_BK, dtype=count_Bc.dtype)
        count_Bc.scatter_add_(1, pool_BK // grid.slice_tokens, held_BK)
        if noise_Bc is None:
            order_Bc = count_Bc.argsort(dim=1, descending=True, stable=True)
        else:
            # the smallest of exponentials with these rates: a draw without replacement
            waiting_Bc = -torch.log1p(-noise_Bc) / count_Bc.clamp(min=LEAST_WEIGHT)
            order_Bc = waiting_Bc.argsort(dim=1, stable=True)
        return order_Bc[:, : self.slices].sort(dim=1).values

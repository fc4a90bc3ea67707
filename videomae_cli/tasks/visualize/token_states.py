"""What becomes of each token of a masked clip: the one thing that every picture of a mask shows.

Shapes: N tokens; t h w tokens along an axis.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask

TokenStates = NDArray[np.uint8]


class TokenState(IntEnum):
    """What becomes of one token. Two bits hold it."""

    VISIBLE = 0
    """The encoder sees it."""
    TARGET = 1
    """Hidden, and the decoder predicts it."""
    LEFT_OUT = 2
    """Hidden, and the decoder is not asked for it, to save its work (running cell)."""
    DROPPED = 3
    """Hidden, and outside the pool: it moves too little to be worth predicting (motion)."""


DESCRIPTIONS: dict[TokenState, str] = {
    TokenState.VISIBLE: "visible to the encoder",
    TokenState.TARGET: "hidden, predicted by the decoder",
    TokenState.LEFT_OUT: "hidden, left out: the decoder is not asked",
    TokenState.DROPPED: "dropped: moves too little to be seen or predicted",
}


class TokenCounts(NamedTuple):
    """How many tokens of a clip a mask treats in which way."""

    tokens: int
    """N, all of them."""
    visible: int
    """Seen by the encoder."""
    targets: int
    """Predicted by the decoder; with a running cell some visible ones too."""
    counted: int
    """Targets that enter the loss."""
    left_out: int
    """Hidden, and not asked for."""
    dropped: int
    """Hidden, and out of the pool."""

    @property
    def hidden(self) -> int:
        """Not seen by the encoder."""
        return self.tokens - self.visible

    @property
    def predicts_all_hidden(self) -> bool:
        """Is exactly what is hidden predicted and counted?"""
        return self.targets == self.counted == self.hidden

    def describe(self) -> list[str]:
        """Say them, one by one."""
        narrowed = f", {self.counted:,} counted" if self.counted < self.targets else ""
        lines = [f"{self.visible:,} visible", f"{self.targets:,} targets{narrowed}"]
        lines += [f"{self.left_out:,} left out"] if self.left_out else []
        return [*lines, f"{self.dropped:,} dropped"] if self.dropped else lines


def compute_states(mask: Mask, spec: MaskSpec, grid: TokenGrid) -> TokenStates:
    """Return the `State` of each token of the first clip: states_thw. Visible wins over target."""
    unasked = TokenState.DROPPED if spec.strategy == "motion" else TokenState.LEFT_OUT
    states_N = np.full(grid.tokens, unasked, np.uint8)
    states_N[mask.target_BM[0].cpu().numpy()] = TokenState.TARGET
    states_N[mask.visible_BV[0].cpu().numpy()] = TokenState.VISIBLE
    return states_N.reshape(grid.t, grid.h, grid.w)


def count_tokens(mask: Mask, spec: MaskSpec, grid: TokenGrid) -> TokenCounts:
    """Count the tokens of the first clip."""
    states = compute_states(mask, spec, grid)
    return TokenCounts(
        tokens=grid.tokens,
        visible=mask.visible_BV.shape[1],
        targets=mask.target_BM.shape[1],
        counted=int(mask.counted_BM[0].sum()),
        left_out=int((states == TokenState.LEFT_OUT).sum()),
        dropped=int((states == TokenState.DROPPED).sum()),
    )

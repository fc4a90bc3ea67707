"""The state of each token of a masked clip, and the number of tokens in each state.

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
"""One `TokenState` for each token, of shape t, h, w."""


class TokenState(IntEnum):
    """How a mask treats one token. The values fit into two bits."""

    VISIBLE = 0
    TARGET = 1
    LEFT_OUT = 2  # by the running cell, which saves decoder time
    DROPPED = 3  # by the motion strategy, because it is outside the pool


HIDDEN_STATES = (TokenState.TARGET, TokenState.LEFT_OUT, TokenState.DROPPED)
DESCRIPTIONS: dict[TokenState, str] = {
    TokenState.VISIBLE: "visible to the encoder",
    TokenState.TARGET: "target: hidden, predicted by the decoder",
    TokenState.LEFT_OUT: "left out: hidden, not predicted",
    TokenState.DROPPED: "dropped: too little motion to be visible or a target",
}


class TokenCounts(NamedTuple):
    """Numbers of tokens of a masked clip."""

    tokens: int
    visible: int
    targets: int
    """With a running cell, some of them are visible."""
    counted: int
    """Targets that enter the loss."""
    left_out: int
    dropped: int

    @property
    def hidden(self) -> int:
        """Tokens that the encoder does not see."""
        return self.tokens - self.visible

    @property
    def predicts_all_hidden(self) -> bool:
        """Whether the targets, all of them in the loss, are exactly the hidden tokens."""
        return self.targets == self.counted == self.hidden

    def describe(self) -> list[str]:
        """Return the counts as text, one line each, without those that are 0."""
        counted = f", {self.counted:,} in the loss" if self.counted < self.targets else ""
        lines = [f"{self.visible:,} visible", f"{self.targets:,} targets{counted}"]
        lines += [f"{self.left_out:,} left out"] if self.left_out else []
        return [*lines, f"{self.dropped:,} dropped"] if self.dropped else lines


def compute_states(mask: Mask, spec: MaskSpec, grid: TokenGrid) -> TokenStates:
    """Return the state of each token of the first clip: states_thw.

    A target that is visible counts as visible.
    """
    others = TokenState.DROPPED if spec.strategy == "motion" else TokenState.LEFT_OUT
    states_N = np.full(grid.tokens, others, np.uint8)
    states_N[mask.target_BM[0].cpu().numpy()] = TokenState.TARGET
    states_N[mask.visible_BV[0].cpu().numpy()] = TokenState.VISIBLE
    return states_N.reshape(grid.t, grid.h, grid.w)


def count_tokens(mask: Mask, spec: MaskSpec, grid: TokenGrid) -> TokenCounts:
    """Count the tokens of the first clip by their state."""
    states = compute_states(mask, spec, grid)
    return TokenCounts(
        tokens=grid.tokens,
        visible=mask.visible_BV.shape[1],
        targets=mask.target_BM.shape[1],
        counted=int(mask.counted_BM[0].sum()),
        left_out=int((states == TokenState.LEFT_OUT).sum()),
        dropped=int((states == TokenState.DROPPED).sum()),
    )

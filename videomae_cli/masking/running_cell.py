"""Dual masking with a running cell: the decoder predicts only a part of the hidden tokens.

Source: VideoMAE V2, arXiv 2303.16727, §3.2; the cell is that of MAR (arXiv 2207.11660).
A cell of 2 x 2 tokens is a ring of four; its first entries are left out of the targets, and the
ring turns by one from slice to slice. The start, one of four phases, is drawn for each clip. A
visible token that is a target is predicted, but does not enter the loss.
Rounding: of the four, int(4 * targets_ratio) are left out: 0.5 leaves out 2, 0.9 leaves out 3.
Depends on the first value of its own row of noise.
Worked count: 8 x 14 x 14 tokens, tube 0.9, cell 0.5: 784 targets, of which the 704 that are not
visible enter the loss.
"""

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask

RING = 4


def running_cell(noise_BN: Tensor, mask: Mask, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Replace the targets by those of the running cell; visible ones do not enter the loss.

    Args:
        noise_BN: Uniform noise; the first value draws the phase.
        mask: Mask whose visible tokens are kept.
        grid: Token grid.
        spec: `targets_ratio`.

    Raises:
        RecipeError: The cell leaves out nothing or everything, or clips would have different
            numbers of targets.
    """
    assert spec.targets_ratio is not None
    left_out = int(RING * spec.targets_ratio)
    if not left_out:
        raise RecipeError(
            f"mask.targets_ratio: {spec.targets_ratio:g} leaves out 0 of {RING} tokens of a cell",
            "choose 0.25, 0.5 or 0.75",
        )
    if (grid.h % 2 or grid.w % 2) and grid.t % RING:
        raise RecipeError(
            f"mask.targets: running-cell does not support {grid.h} x {grid.w} tokens with {grid.t}"
            " slices",
            f"choose an even number of tokens per side, or a number of slices divisible by {RING}",
        )
    phase_B = (noise_BN[:, 0] * RING).long().clamp(max=RING - 1)
    token_N = torch.arange(grid.tokens, device=noise_BN.device)
    slice_N = token_N // grid.slice_tokens
    corner_N = 2 * (token_N % grid.slice_tokens // grid.w % 2) + token_N % grid.w % 2
    ring_BN = (corner_N + slice_N + 1 + phase_B.unsqueeze(1)) % RING
    left_out_BN = ring_BN < left_out
    targets = grid.tokens * (RING - left_out) // RING
    target_BM = left_out_BN.byte().argsort(dim=1, stable=True)[:, :targets]
    visible_BN = torch.zeros_like(left_out_BN).scatter_(1, mask.visible_BV, True)
    return Mask(mask.visible_BV, target_BM, ~visible_BN.gather(1, target_BM))

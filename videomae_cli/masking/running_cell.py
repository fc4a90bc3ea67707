"""Dual masking: the decoder is asked for a running part of the clip, not for all that is hidden.

Source: VideoMAE V2, arXiv 2303.16727, §3.2; the cell is MAR's (arXiv 2207.11660).
A cell of 2 x 2 tokens holds a ring of four; its leading entries are left out, and from slice to
slice the ring turns by one. Where it starts, one of four phases, is drawn for each clip. A visible
token that the cell asks for is predicted and not counted.
Rounding: of the four, int(4 * targets_ratio) are left out: 0.5 leaves out 2, 0.9 leaves out 3.
Depends on the first value of its own noise.
Worked count: 8 x 14 x 14 tokens, tube 0.9, cell 0.5: 784 targets, of which the 704 that are not
visible are counted.
"""

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask

RING = 4


def running_cell(noise_BN: Tensor, mask: Mask, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Replace the targets by those of the running cell; visible ones do not count.

    Args:
        noise_BN: Uniform noise; the first value draws the phase.
        mask: Its visible tokens stay.
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
            f"mask.targets_ratio: {spec.targets_ratio:g} leaves out none of a cell of {RING}",
            "take 0.25, 0.5 or 0.75",
        )
    if (grid.h % 2 or grid.w % 2) and grid.t % RING:
        raise RecipeError(
            f"mask.targets: running-cell on {grid.h} x {grid.w} tokens and {grid.t} slices",
            f"take an even number of tokens per side, or a number of slices divisible by {RING}",
        )
    phase_B = (noise_BN[:, 0] * RING).long().clamp(max=RING - 1)
    place_N = torch.arange(grid.tokens, device=noise_BN.device)
    slice_N = place_N // grid.slice_tokens
    corner_N = 2 * (place_N % grid.slice_tokens // grid.w % 2) + place_N % grid.w % 2
    ring_BN = (corner_N + slice_N + 1 + phase_B.unsqueeze(1)) % RING
    left_out_BN = ring_BN < left_out
    asked = grid.tokens * (RING - left_out) // RING
    target_BM = left_out_BN.byte().argsort(dim=1, stable=True)[:, :asked]
    seen_BN = torch.zeros_like(left_out_BN).scatter_(1, mask.visible_BV, True)
    return Mask(mask.visible_BV, target_BM, ~seen_BN.gather(1, target_BM))

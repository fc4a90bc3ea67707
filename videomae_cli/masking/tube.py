"""Tube masking: the same spatial pattern in every slice (VideoMAE; `space` in MAE-ST).

Source: VideoMAE, arXiv 2203.12602, §3.3.
Rounding: of the S tokens of a slice, int(ratio * S) are hidden.
Depends on the first S values of noise and on nothing else.
Worked count: 8 x 14 x 14 tokens at ratio 0.9 hide int(176.4) = 176 of each 196, so that 160 are
visible and 1,408 are targets.
"""

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, all_counted, require_both


def tube(noise_BN: Tensor, content: Content, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Hide the same positions in every slice; those with the lowest noise stay visible.

    Args:
        noise_BN: Uniform noise; only the values of the first slice are used.
        content: Not used.
        grid: Token grid.
        spec: The ratio.

    Raises:
        RecipeError: The ratio hides no token, or every one.
    """
    kept = grid.slice_tokens - int(spec.ratio * grid.slice_tokens)
    require_both(spec, kept, grid.slice_tokens, "tokens of a slice")
    order_BS = noise_BN[:, : grid.slice_tokens].argsort(dim=1, stable=True)
    visible_BV = _repeat_in_slices(order_BS[:, :kept], grid)
    return all_counted(visible_BV, _repeat_in_slices(order_BS[:, kept:], grid))


def _repeat_in_slices(index_BS: Tensor, grid: TokenGrid) -> Tensor:
    starts = torch.arange(0, grid.tokens, grid.slice_tokens, device=index_BS.device)
    return (index_BS.sort(dim=1).values.unsqueeze(1) + starts[:, None]).flatten(1)

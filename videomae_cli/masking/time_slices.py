"""Time masking: hide whole slices, so that the model must predict past or future frames.

Source: the `frame` ablation of VideoMAE (arXiv 2203.12602, table 1b) and `time-only` of MAE-ST
(arXiv 2205.09113, table 2a).
Rounding: of t slices, round(ratio * t) are hidden; a half is rounded to the even number.
Depends on the noise of the first token of each slice and on nothing else.
Worked count: 8 x 14 x 14 tokens at ratio 0.875 hide 7 of 8 slices, so that 196 are visible and
1,372 are targets; at 0.9 they are round(7.2) = 7 slices too.
"""

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, all_counted, require_both


def time_slices(noise_BN: Tensor, content: Content, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Hide whole slices; those with the lowest noise stay visible.

    Args:
        noise_BN: Uniform noise; only the first value of each slice is used.
        content: Not used.
        grid: Token grid.
        spec: The ratio.

    Raises:
        RecipeError: The ratio hides no slice, or every one.
    """
    kept = grid.t - round(spec.ratio * grid.t)
    require_both(spec, kept, grid.t, "slices")
    order_Bt = noise_BN[:, :: grid.slice_tokens].argsort(dim=1, stable=True)
    return all_counted(
        _expand_slices(order_Bt[:, :kept], grid), _expand_slices(order_Bt[:, kept:], grid)
    )


def _expand_slices(slices_Bt: Tensor, grid: TokenGrid) -> Tensor:
    inside = torch.arange(grid.slice_tokens, device=slices_Bt.device)
    first_Bt1 = slices_Bt.sort(dim=1).values.unsqueeze(-1) * grid.slice_tokens
    return (first_Bt1 + inside).flatten(1)

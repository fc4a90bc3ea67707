"""Random masking: hide tokens anywhere in space and time (`random` of MAE-ST, its default).

Source: MAE-ST, arXiv 2205.09113, §3 and table 2a.
Rounding: of N tokens, int(N * (1 - ratio)) stay visible, computed in floating point as written.
Depends on all N values of noise and on nothing else.
Worked count: 8 x 14 x 14 tokens at ratio 0.9 keep int(156.79...) = 156 of 1,568; 1,412 are targets.
"""

from torch import Tensor

from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, all_counted, require_both


def random_tokens(noise_BN: Tensor, content: Content, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Hide tokens anywhere; those with the lowest noise stay visible.

    Args:
        noise_BN: Uniform noise.
        content: Not used.
        grid: Token grid.
        spec: The ratio.

    Raises:
        RecipeError: The ratio hides no token, or every one.
    """
    kept = int(grid.tokens * (1 - spec.ratio))
    require_both(spec, kept, grid.tokens, "tokens of a clip")
    order_BN = noise_BN.argsort(dim=1, stable=True)
    return all_counted(order_BN[:, :kept].sort(dim=1).values, order_BN[:, kept:].sort(dim=1).values)

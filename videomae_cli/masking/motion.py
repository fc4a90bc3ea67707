"""Motion-centric selection: only the tokens that move most are seen and predicted at all.

Source: VideoMS / EVEREST, arXiv 2211.10636: a token's motion is the distance of its embedding,
before positions, from that at the same place one slice earlier; the first slice has none and takes
the second's, which its authors' program does without a word.
Different from the original: any number of slices and places; ties are broken by noise, so that a
still clip shows something else each time; what is not finite ranks last.
Rounding: of N tokens, floor(pool * N) take part, floor((1 - ratio) * N) of them are visible.
Depends on the embedding in training (`online`) or on pixels alone (`pixels`), and on noise.
Worked count: 8 x 14 x 14 tokens, pool 0.3, ratio 0.9: floor(470.4) = 470 take part, floor(156.8) =
156 are visible, 314 are targets, 1,098 are dropped. In fine-tuning pool 0.6 keeps 940.

Shapes: B batch, N tokens, t slices, S tokens of a slice, X anything, K tokens of the pool.
"""

import math

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec, SelectSpec, Source
from videomae_cli.errors import RecipeError, TrainingError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, all_counted

TIE_LEVELS = 4096


def motion(noise_BN: Tensor, content: Content, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Show some of the most moving tokens, ask for the others of them, and drop the rest.

    Args:
        noise_BN: Uniform noise; the lowest of the pool are visible, its finer digits break ties.
        content: What moves.
        grid: Token grid.
        spec: Ratio, pool, source.

    Raises:
        RecipeError: Nothing visible, or nothing left to predict.
        TrainingError: Fewer finite scores than the pool has tokens.
    """
    assert spec.pool is not None
    size, kept = pool_size(spec.pool, grid), pool_size(1 - spec.ratio, grid)
    if not 0 < kept < size:
        raise RecipeError(
            f"mask: pool {spec.pool:g} is {size} tokens, ratio {spec.ratio:g} shows {kept} of them",
            "raise pool, or choose a ratio that shows some and leaves some to predict",
        )
    scores_BN = scores(content, grid, spec.source or "online")
    pool_BK = most_moving(scores_BN, size, (noise_BN * TIE_LEVELS).frac())
    order_BK = noise_BN.gather(1, pool_BK).argsort(dim=1, stable=True)
    ranked_BK = pool_BK.gather(1, order_BK)
    visible_BV, target_BM = ranked_BK[:, :kept], ranked_BK[:, kept:]
    return all_counted(visible_BV.sort(dim=1).values, target_BM.sort(dim=1).values)


def moving_tokens(content: Content, grid: TokenGrid, spec: SelectSpec) -> Tensor:
    """Return what a classifier sees: index_BK, ascending. No noise: of equals the first is taken.

    Raises:
        TrainingError: Fewer finite scores than the pool has tokens.
    """
    return most_moving(scores(content, grid, spec.source), pool_size(spec.pool, grid))


def scores(content: Content, grid: TokenGrid, source: Source) -> Tensor:
    """Return how much each token moves: scores_BN, float32, 0 and up; one slice does not move.

    `online`: L2 distance of embeddings. `pixels`: mean absolute difference of pixels.
    """
    told_BNX = content.tokens() if source == "online" else content.tubelets_BNP
    x_BtSX = told_BNX.float().reshape(-1, grid.t, grid.slice_tokens, told_BNX.shape[-1])
    if grid.t == 1:
        return x_BtSX.new_zeros(x_BtSX.shape[0], grid.tokens)
    change_BtSX = x_BtSX[:, 1:] - x_BtSX[:, :-1]
    pixels = source == "pixels"
    moved_BtS = change_BtSX.abs().mean(dim=-1) if pixels else change_BtSX.norm(dim=-1)
    return torch.cat((moved_BtS[:, :1], moved_BtS), dim=1).flatten(1)


def most_moving(scores_BN: Tensor, size: int, ties_BN: Tensor | None = None) -> Tensor:
    """Return the `size` tokens with the highest scores: index_BK, ascending.

    Args:
        scores_BN: What is not finite ranks last.
        size: K.
        ties_BN: Of equal scores the lowest of these comes first; without it, the lowest index.

    Raises:
        TrainingError: A clip has fewer than `size` finite scores.
    """
    finite_BN = scores_BN.isfinite()
    # an exported program cannot raise: there, what is not finite only ranks last
    if not torch.compiler.is_exporting() and bool((finite_BN.sum(dim=1) < size).any()):
        raise TrainingError(
            f"the motion of fewer than {size} tokens of a clip is a finite number",
            "the weights or the pixels are broken: start from sound weights, or lower the rate",
        )
    ranked_BN = scores_BN.where(finite_BN, -math.inf)
    if ties_BN is None:
        order_BN = ranked_BN.argsort(dim=1, descending=True, stable=True)
    else:
        first_BN = ties_BN.argsort(dim=1, stable=True)
        then_BN = ranked_BN.gather(1, first_BN).argsort(dim=1, descending=True, stable=True)
        order_BN = first_BN.gather(1, then_BN)
    return order_BN[:, :size].sort(dim=1).values


def pool_size(fraction: float, grid: TokenGrid) -> int:
    """Return how many tokens such a fraction is, one at the least."""
    return max(1, math.floor(fraction * grid.tokens + 1e-9))

"""Motion-centric masking: only the tokens with the most motion are seen or predicted.

Source: VideoMS / EVEREST, arXiv 2211.10636: the motion of a token is the distance between its
embedding, without positions, and that at the same position one slice earlier; the first slice gets
the motion of the second, as the code of its authors does silently.
Different from the original: any number of slices and positions; ties are broken by noise, so that
the mask of a still clip differs each time; values that are not finite rank last.
Rounding: of N tokens, floor(pool * N) are in the pool, floor((1 - ratio) * N) of them are visible.
Depends on the embedding in training (`online`) or on pixels alone (`pixels`), and on noise.
Worked count: 8 x 14 x 14 tokens, pool 0.3, ratio 0.9: floor(470.4) = 470 are in the pool,
floor(156.8) = 156 are visible, 314 are targets, 1,098 are dropped. In fine-tuning pool 0.6 keeps
940.

Shapes: B batch, N tokens, t slices, S tokens of a slice, X any dimensions, K tokens of the pool.
"""

import math

import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec, MotionSource, SelectSpec
from videomae_cli.errors import RecipeError, TrainingError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, all_counted

TIE_LEVELS = 4096


def motion(noise_BN: Tensor, content: Content, grid: TokenGrid, spec: MaskSpec) -> Mask:
    """Split the tokens with the most motion into visible tokens and targets; drop all others.

    Args:
        noise_BN: Uniform noise; the lowest in the pool are visible; lower-order digits break ties.
        content: Pixels and embeddings of the clips.
        grid: Token grid.
        spec: Ratio, pool, source.

    Raises:
        RecipeError: No token is visible, or no token is left to predict.
        TrainingError: Fewer finite scores than the pool has tokens.
    """
    assert spec.pool is not None
    size, kept = pool_size(spec.pool, grid), pool_size(1 - spec.ratio, grid)
    if not 0 < kept < size:
        raise RecipeError(
            f"mask: pool {spec.pool:g} is {size} tokens, ratio {spec.ratio:g} keeps {kept} visible",
            "raise mask.pool, or choose a ratio with some visible tokens and some targets",
        )
    scores_BN = scores(content, grid, spec.source or "online")
    pool_BK = most_moving(scores_BN, size, (noise_BN * TIE_LEVELS).frac())
    order_BK = noise_BN.gather(1, pool_BK).argsort(dim=1, stable=True)
    ranked_BK = pool_BK.gather(1, order_BK)
    visible_BV, target_BM = ranked_BK[:, :kept], ranked_BK[:, kept:]
    return all_counted(visible_BV.sort(dim=1).values, target_BM.sort(dim=1).values)


def moving_tokens(content: Content, grid: TokenGrid, spec: SelectSpec) -> Tensor:
    """Return the tokens that a classifier sees: index_BK, ascending; the first of equal scores.

    Raises:
        TrainingError: Fewer finite scores than the pool has tokens.
    """
    return most_moving(scores(content, grid, spec.source), pool_size(spec.pool, grid))


def scores(content: Content, grid: TokenGrid, source: MotionSource) -> Tensor:
    """Return the motion of each token: scores_BN, float32, at least 0; all 0 with one slice.

    `online`: L2 distance of embeddings. `pixels`: mean absolute difference of pixels.
    """
    features_BNX = content.tokens() if source == "online" else content.tubelets_BNP
    x_BtSX = features_BNX.float().reshape(-1, grid.t, grid.slice_tokens, features_BNX.shape[-1])
    if grid.t == 1:
        return x_BtSX.new_zeros(x_BtSX.shape[0], grid.tokens)
    change_BtSX = x_BtSX[:, 1:] - x_BtSX[:, :-1]
    pixels = source == "pixels"
    motion_BtS = change_BtSX.abs().mean(dim=-1) if pixels else change_BtSX.norm(dim=-1)
    return torch.cat((motion_BtS[:, :1], motion_BtS), dim=1).flatten(1)


def most_moving(scores_BN: Tensor, size: int, ties_BN: Tensor | None = None) -> Tensor:
    """Return the `size` tokens with the highest scores: index_BK, ascending.

    Args:
        scores_BN: Values that are not finite rank last.
        size: K.
        ties_BN: Order of equal scores, the lowest value first; None orders them by index.

    Raises:
        TrainingError: A clip has fewer than `size` finite scores.
    """
    finite_BN = scores_BN.isfinite()
    # an exported model cannot raise: there, values that are not finite only rank last
    if not torch.compiler.is_exporting() and bool((finite_BN.sum(dim=1) < size).any()):
        raise TrainingError(
            f"fewer than {size} tokens of a clip have a finite motion score",
            "weights or pixels are not finite: use other weights, or lower the learning rate",
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
    """Return the number of tokens of a fraction, at least one."""
    return max(1, math.floor(fraction * grid.tokens + 1e-9))

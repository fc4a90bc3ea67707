import math

import pytest
import torch
from torch import Tensor

from videomae_cli.config.model import MaskSpec, SelectSpec
from videomae_cli.errors import RecipeError, TrainingError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for, selector_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.motion import most_moving, motion, scores

FLAT = TokenGrid(8, 32, 32)  # 4 slices of 4 positions
ODD = TokenGrid(6, 112, 80, tubelet=2)  # 3 slices of 7 x 5 positions


def spec(ratio: float = 0.75, pool: float = 0.5, source: str = "online") -> MaskSpec:
    return MaskSpec.model_validate(
        {"strategy": "motion", "ratio": ratio, "pool": pool, "source": source}
    )


def content_of(values_BNX: Tensor) -> Content:
    """Return content with the identity as embedding."""
    return Content(values_BNX, lambda pixels: pixels.float())


def moving_square(grid: TokenGrid) -> tuple[Tensor, set[int]]:
    """Return a clip with a bright token that moves by one each slice, and its path."""
    values = torch.zeros(1, grid.t, grid.slice_tokens, 3)
    path = set()
    for time in range(grid.t):
        values[0, time, time] = 1.0
        path |= {time * grid.slice_tokens + time, time * grid.slice_tokens + time - 1}
    return values.flatten(1, 2), {index for index in path if index >= grid.slice_tokens}


@pytest.mark.parametrize("source", ["online", "pixels"])
def test_motion_is_the_distance_from_the_previous_slice(source: str):
    grid = TokenGrid(6, 16, 32)  # 3 slices of 2 positions
    x = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [3.0, 4.0], [1.0, 1.0], [3.0, 4.0], [4.0, 5.0]]])

    motion_BN = scores(content_of(x), grid, source)

    change = 5.0 if source == "online" else 3.5
    # the first slice has the motion of the second; after it only one position changes
    torch.testing.assert_close(motion_BN, torch.tensor([[change, 0.0, change, 0.0, 0.0, change]]))


def test_the_selected_tokens_cover_the_path_of_a_moving_square():
    values, path = moving_square(FLAT)

    pool = most_moving(scores(content_of(values), FLAT, "online"), len(path) + 2)

    assert path <= set(pool[0].tolist())


@pytest.mark.parametrize("grid", [FLAT, ODD, TokenGrid(2, 48, 48), TokenGrid(20, 16, 16)])
def test_visible_tokens_and_targets_are_the_pool_of_most_motion(grid: TokenGrid):
    torch.manual_seed(0)
    content = content_of(torch.rand(5, grid.tokens, 3))

    mask = masker_for(spec(), grid)(torch.rand(5, 2, grid.tokens), content)

    motion_BN = scores(content, grid, "online")
    in_pool = torch.zeros_like(motion_BN, dtype=torch.bool)
    in_pool.scatter_(1, torch.cat((mask.visible_BV, mask.target_BM), dim=1), True)
    assert (in_pool.sum(dim=1) == math.floor(0.5 * grid.tokens + 1e-9)).all()
    least = motion_BN.where(in_pool, math.inf).min(dim=1).values
    assert (least >= motion_BN.where(~in_pool, -math.inf).max(dim=1).values).all()


def test_published_counts_on_a_grid_of_8_by_14_by_14():
    grid = TokenGrid(16, 224, 224)
    content = content_of(torch.rand(2, grid.tokens, 2))
    noise = torch.rand(2, 2, grid.tokens)

    for drop, pool, targets in ((0.7, 470, 314), (0.8, 313, 157), (0.6, 627, 471), (0.5, 784, 628)):
        mask = masker_for(spec(0.9, 1 - drop), grid)(noise, content)
        assert (mask.visible_BV.shape[1], mask.target_BM.shape[1]) == (156, targets)
        assert mask.visible_BV.shape[1] + targets == pool
    seen = selector_for(SelectSpec(strategy="motion", pool=0.6), grid)(content)
    assert seen.shape == (2, 940)


def test_adding_a_constant_to_all_frames_selects_the_same():
    x = torch.rand(2, ODD.tokens, 3)
    noise = torch.rand(2, ODD.tokens)

    # a power of two, so that no difference is rounded
    one, other = (
        motion(noise, content_of(y), ODD, spec())
        for y in ((x * 256).round(), (x * 256).round() + 64)
    )

    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_reversing_time_reverses_the_changes():
    x = torch.rand(1, ODD.t, ODD.slice_tokens, 3)

    forward = scores(content_of(x.flatten(1, 2)), ODD, "online").reshape(ODD.t, -1)
    backward = scores(content_of(x.flip(1).flatten(1, 2)), ODD, "online").reshape(ODD.t, -1)

    torch.testing.assert_close(backward[1:], forward[1:].flip(0))


def test_a_still_clip_gets_another_mask_each_time():
    still = content_of(torch.ones(1, FLAT.tokens, 3))
    torch.manual_seed(0)

    pools = {
        tuple(
            sorted(
                torch.cat(motion(torch.rand(1, FLAT.tokens), still, FLAT, spec())[:2], 1)[
                    0
                ].tolist()
            )
        )
        for _ in range(20)
    }

    assert len(pools) > 15


def test_one_slice_does_not_move_and_is_drawn_at_random():
    grid = TokenGrid(2, 64, 64)
    content = content_of(torch.rand(1, grid.tokens, 3))
    torch.manual_seed(0)

    seen = {
        tuple(motion(torch.rand(1, grid.tokens), content, grid, spec()).visible_BV[0].tolist())
        for _ in range(20)
    }

    assert len(seen) > 15


def test_a_classifier_sees_the_first_of_equals_and_needs_no_noise():
    still = content_of(torch.ones(1, FLAT.tokens, 3))

    seen = selector_for(SelectSpec(strategy="motion", pool=0.5), FLAT)(still)

    assert seen[0].tolist() == list(range(8))


def test_the_visible_tokens_are_a_uniform_subset_of_the_pool():
    values, _ = moving_square(FLAT)
    torch.manual_seed(0)
    clips = 6000

    mask = motion(
        torch.rand(clips, FLAT.tokens), content_of(values.expand(clips, -1, -1) + 0), FLAT, spec()
    )

    pool = torch.cat((mask.visible_BV, mask.target_BM), 1).unique()
    certain = [
        i
        for i in pool.tolist()
        if bool(((mask.visible_BV == i).any(1) | (mask.target_BM == i).any(1)).all())
    ]
    counts = torch.tensor([float((mask.visible_BV == i).sum()) for i in certain])
    assert len(certain) >= 6
    assert ((counts / clips - 0.5).abs() < 5 * 0.5 / clips**0.5).all()


def test_values_that_are_not_finite_rank_last():
    ranked = most_moving(torch.tensor([[1.0, math.nan, 3.0, math.inf, 2.0]]), 2)

    assert ranked.tolist() == [[2, 4]]


def test_too_few_finite_scores_are_an_error():
    with pytest.raises(TrainingError, match="fewer than 2 tokens"):
        most_moving(torch.tensor([[1.0, math.nan, math.nan]]), 2)


def test_a_pool_with_nothing_left_to_predict_is_refused():
    with pytest.raises(RecipeError, match=r"pool 0\.51 is 4 tokens, ratio 0\.5 keeps 4 visible"):
        masker_for(spec(0.5, 0.51), TokenGrid(2, 32, 64))


def test_selection_has_no_gradient():
    weight = torch.ones(3, requires_grad=True)
    content = Content(torch.rand(1, FLAT.tokens, 3), lambda pixels: pixels * weight)

    assert not content.tokens().requires_grad

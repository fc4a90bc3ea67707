"""Token states follow the mask of every strategy, in counts and on pictures."""

import numpy as np
import torch

from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.tasks.visualize.panels import (
    DROPPED_COVER,
    LEFT_OUT_STRIPE,
    TARGET_COVER,
    cover_tokens,
    draw_cover,
)
from videomae_cli.tasks.visualize.strategies import ALL_STRATEGIES, select_masks
from videomae_cli.tasks.visualize.token_states import TokenState, compute_states, count_tokens

GRID = TokenGrid(16, 224, 224)
PUBLISHED = {  # visible, targets, counted, left out, dropped
    "tube": (160, 1408, 1408, 0, 0),
    "random": (156, 1412, 1412, 0, 0),
    "time": (196, 1372, 1372, 0, 0),
    "motion": (156, 314, 314, 0, 1098),
    "tube+running-cell": (160, 784, 704, 704, 0),
}


def _mask(name: str, grid: TokenGrid) -> Mask:
    generator = torch.Generator().manual_seed(7)
    pixels = torch.randint(0, 256, (1, grid.tokens, 6), dtype=torch.uint8, generator=generator)
    noise_B2N = torch.rand(1, 2, grid.tokens, generator=generator)
    spec = select_masks(name, None, slices=grid.t)[0]
    return masker_for(spec, grid)(noise_B2N, Content(pixels, torch.Tensor.float))


def test_counts_are_the_published_ones() -> None:
    counts = {
        name: count_tokens(_mask(name, GRID), select_masks(name, None)[0], GRID)
        for name in ALL_STRATEGIES
    }

    assert counts == {name: (1568, *numbers) for name, numbers in PUBLISHED.items()}


def test_states_are_those_of_the_mask() -> None:
    wrong = []
    for name in ALL_STRATEGIES:
        mask = _mask(name, GRID)
        states_N = compute_states(mask, select_masks(name, None)[0], GRID).ravel()

        visible = set(mask.visible_BV[0].tolist())
        targets = set(mask.target_BM[0].tolist()) - visible
        others = set(range(GRID.tokens)) - visible - targets
        state = TokenState.DROPPED if name == "motion" else TokenState.LEFT_OUT
        expected = {TokenState.VISIBLE: visible, TokenState.TARGET: targets, state: others}
        wrong += [
            f"{name}: {state.name}"
            for state in TokenState
            if set(np.flatnonzero(states_N == state)) != expected.get(state, set())
        ]

    assert wrong == []


def test_a_picture_covers_exactly_the_hidden_tokens() -> None:
    wrong = []
    for name in ALL_STRATEGIES:
        grid = TokenGrid(8, 64, 64)
        states_thw = compute_states(_mask(name, grid), select_masks(name, None)[0], grid)
        frames_THWC = np.full((8, 64, 64, 3), (255, 0, 0), np.uint8)

        covered_THWC = cover_tokens(frames_THWC, states_thw, grid)

        for state, colour in (
            (TokenState.VISIBLE, (255, 0, 0)),
            (TokenState.TARGET, TARGET_COVER),
            (TokenState.LEFT_OUT, LEFT_OUT_STRIPE),
            (TokenState.DROPPED, DROPPED_COVER),
        ):
            # the pixels of each token, without its edges
            tokens = covered_THWC.reshape(4, 2, 4, 16, 4, 16, 3)[:, :, :, :-1, :, :-1]
            has = (tokens == colour).all(axis=-1).any(axis=(3, 5)).all(axis=1)
            if state is TokenState.TARGET:  # left-out tokens have the same colour, with stripes
                has &= ~(tokens == LEFT_OUT_STRIPE).all(axis=-1).any(axis=(1, 3, 5))
            if not np.array_equal(has, states_thw == state):
                wrong.append(f"{name}: {state.name}")

    assert wrong == []


def test_covers_differ_in_lightness_or_pattern_but_not_in_hue() -> None:
    flat, striped, dark = (
        draw_cover(state, 16)[:-1, :-1].astype(float).mean(axis=-1)
        for state in (TokenState.TARGET, TokenState.LEFT_OUT, TokenState.DROPPED)
    )

    assert flat.std() == dark.std() == 0 and flat.mean() - dark.mean() > 100
    assert striped.std() > 25
    for state in (TokenState.TARGET, TokenState.LEFT_OUT, TokenState.DROPPED):
        assert np.ptp(draw_cover(state, 16).astype(int), axis=-1).max() < 25  # nearly grey


def test_descriptions_of_counts_omit_zeros() -> None:
    plain, cell, moving = (
        count_tokens(_mask(name, GRID), select_masks(name, None)[0], GRID)
        for name in ("tube", "tube+running-cell", "motion")
    )

    assert plain.predicts_all_hidden and plain.describe() == ["160 visible", "1,408 targets"]
    assert cell.describe() == ["160 visible", "784 targets, 704 in the loss", "704 left out"]
    assert moving.describe() == ["156 visible", "314 targets", "1,098 dropped"]
    assert not cell.predicts_all_hidden and not moving.predicts_all_hidden

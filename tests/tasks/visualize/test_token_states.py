"""Every token of every strategy has the state that its mask gives it, in words and on pictures."""

import numpy as np
import pytest
import torch

from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask
from videomae_cli.tasks.visualize.panels import COVER, DARK, STRIPE, cover, tile
from videomae_cli.tasks.visualize.strategies import EVERY, chosen
from videomae_cli.tasks.visualize.token_states import State, counts_of, states_of

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
    spec = chosen(name, None, slices=grid.t)[0]
    return masker_for(spec, grid)(noise_B2N, Content(pixels, torch.Tensor.float))


@pytest.mark.parametrize("name", EVERY)
def test_counts_are_the_published_ones(name: str) -> None:
    counts = counts_of(_mask(name, GRID), chosen(name, None)[0], GRID)

    assert counts == (1568, *PUBLISHED[name])
    assert PUBLISHED.keys() == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_states_are_those_of_the_mask(name: str) -> None:
    mask = _mask(name, GRID)

    states_N = states_of(mask, chosen(name, None)[0], GRID).ravel()

    visible = set(mask.visible_BV[0].tolist())
    asked = set(mask.target_BM[0].tolist()) - visible
    neither = set(range(GRID.tokens)) - visible - asked
    assert set(np.flatnonzero(states_N == State.VISIBLE)) == visible
    assert set(np.flatnonzero(states_N == State.TARGET)) == asked
    assert set(np.flatnonzero(states_N >= State.LEFT_OUT)) == neither
    assert set(states_N[sorted(neither)]) <= {State.DROPPED if name == "motion" else State.LEFT_OUT}


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_covers_exactly_what_the_mask_says(name: str) -> None:
    grid = TokenGrid(8, 64, 64)
    states_thw = states_of(_mask(name, grid), chosen(name, None)[0], grid)
    frames_THWC = np.full((8, 64, 64, 3), (255, 0, 0), np.uint8)

    covered_THWC = cover(frames_THWC, states_thw, grid)

    for state, covers in (
        (State.VISIBLE, (255, 0, 0)),
        (State.TARGET, COVER),
        (State.LEFT_OUT, STRIPE),
        (State.DROPPED, DARK),
    ):
        # the pixels of each token, but its seams, in a row of its own
        tokens = covered_THWC.reshape(4, 2, 4, 16, 4, 16, 3)[:, :, :, :-1, :, :-1]
        has = (tokens == covers).all(axis=-1).any(axis=(3, 5)).all(axis=1)
        if state is State.TARGET:  # left-out tokens have the same ground, and stripes on it
            has &= ~(tokens == STRIPE).all(axis=-1).any(axis=(1, 3, 5))
        assert np.array_equal(has, states_thw == state), state.name


def test_covers_differ_in_lightness_or_pattern_not_in_hue() -> None:
    flat, striped, dark = (
        tile(state, 16)[:-1, :-1].astype(float).mean(axis=-1)
        for state in (State.TARGET, State.LEFT_OUT, State.DROPPED)
    )

    assert flat.std() == dark.std() == 0 and flat.mean() - dark.mean() > 100
    assert striped.std() > 25
    for state in (State.TARGET, State.LEFT_OUT, State.DROPPED):
        assert np.ptp(tile(state, 16).astype(int), axis=-1).max() < 25  # nearly grey


def test_words_name_what_is_narrowed_and_nothing_else() -> None:
    plain, cell, moving = (
        counts_of(_mask(name, GRID), chosen(name, None)[0], GRID)
        for name in ("tube", "tube+running-cell", "motion")
    )

    assert plain.is_plain and plain.lines() == ["160 visible", "1,408 targets"]
    assert cell.lines() == ["160 visible", "784 targets, 704 counted", "704 left out"]
    assert moving.lines() == ["156 visible", "314 targets", "1,098 dropped"]
    assert not cell.is_plain and not moving.is_plain

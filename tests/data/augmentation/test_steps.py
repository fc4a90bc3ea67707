"""Every operation gives the pixels of timm on Pillow images, to the bit."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from timm.data.auto_augment import LEVEL_TO_ARG, NAME_TO_OP

from tests.data.augmentation.timm_frames import OPTIONS, apply_function, make_clip
from videomae_cli.data.augmentation import affine
from videomae_cli.data.augmentation.matrices import MATRICES
from videomae_cli.data.augmentation.randaugment import randaugment_policy
from videomae_cli.data.augmentation.steps import POINT_FUNCTIONS, Step, apply_steps
from videomae_cli.data.transforms import Box, cut, whole_box

RNG = np.random.default_rng
POLICIES = [randaugment_policy(text) for text in ("rand-inc0", "rand-inc1")]
NAMES = sorted({op.name for policy in POLICIES for op in policy.ops})
SIZES = ((40, 54), (61, 33), (9, 70), (3, 3), (2, 5), (1, 1))


def arguments(name: str, magnitude: float) -> tuple[Any, ...]:
    """Return what timm computes from a magnitude; the sign is drawn."""
    level = LEVEL_TO_ARG[name]
    return () if level is None else level(magnitude, {})


def magnitudes(name: str) -> Iterator[float]:
    """Return whole and random magnitudes from 0 to 10, and larger ones that `-mmax` allows."""
    if LEVEL_TO_ARG[name] is None:
        return iter([0.0])
    random.seed(name)
    return iter([*range(11), *RNG(0).uniform(0, 10, 12), 13.7, 30.0, 60.0])


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_gives_the_pixels_of_pillow(name: str) -> None:
    wrong = []
    for number, magnitude in enumerate(magnitudes(name)):
        for seed, (height, width) in enumerate(SIZES, start=number):
            clip = make_clip(seed, 2, height, width)
            step = Step(NAME_TO_OP[name], arguments(name, magnitude), OPTIONS)
            expected = apply_function(clip, step.function, step.arguments)

            if not (apply_steps(clip, None, (step,)) == expected).all():
                wrong.append((step.arguments, height, width, seed))
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_a_part_of_the_result_is_cut_from_the_whole(name: str) -> None:
    rng = RNG(1)
    random.seed(2)
    wrong = []
    for seed in range(25):
        height, width = (int(side) for side in rng.integers(1, 60, 2))
        top, left = int(rng.integers(height)), int(rng.integers(width))
        box = Box(
            top,
            left,
            int(rng.integers(1, height - top + 1)),
            int(rng.integers(1, width - left + 1)),
        )
        clip = make_clip(seed, 2, height, width)
        first = Step(NAME_TO_OP[name], arguments(name, rng.uniform(2, 9)), OPTIONS)
        other = NAMES[int(rng.integers(len(NAMES)))]
        second = Step(NAME_TO_OP[other], arguments(other, rng.uniform(2, 9)), OPTIONS)
        between = apply_function(clip, first.function, first.arguments)
        expected = apply_function(between, second.function, second.arguments)

        if not (apply_steps(clip, box, (first, second)) == cut(expected, box)).all():
            wrong.append((first, second, box, clip.shape))
    assert wrong == []


def test_every_operation_of_a_policy_is_known() -> None:
    functions = {NAME_TO_OP[name] for name in NAMES}

    others = {function.__name__ for function in functions - set(MATRICES) - set(POINT_FUNCTIONS)}

    assert others == {"auto_contrast", "equalize", "contrast", "color", "sharpness"}


def test_large_frames_are_transformed_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(0, 5, 30, 40)
    step = Step(NAME_TO_OP["Rotate"], (11.0,), OPTIONS)
    together = apply_steps(clip, None, (step,))
    monkeypatch.setattr(affine, "TABLE_BYTES", 2 * 4 * 30 * 40 * 3)  # two frames
    monkeypatch.setattr(affine, "CHUNK_PIXELS", 100)

    assert (apply_steps(clip, None, (step,)) == together).all()


def test_uncertain_values_are_few_and_the_bound_of_the_error_holds() -> None:
    rng = RNG(3)
    clip = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(clip.reshape(8, -1).T).reshape(64 * 64, -1)
    source = affine._Source(pixels, whole_box(clip), whole_box(clip))
    x, y = (
        affine._neighbours(positions, 64, 0) for positions in rng.uniform(-0.5, 63.4, (2, 4000))
    )
    numbers = affine._contiguous((y.numbers * 64)[:, None] + x.numbers, 4000)

    sums = source._sum_neighbours(numbers, affine._contiguous(y.weights[:, None] * x.weights, 4000))

    places = np.divmod(np.arange(sums.size), sums.shape[1])
    exact = source._interpolate_exactly(numbers, x, y, *places).reshape(sums.shape)
    error = np.abs(sums - exact).max()
    bound = affine._rounding_error(4, 4)
    assert 0 < error < bound / 4  # far from the worst case, which all roundings would have to meet
    assert bound < 0.002

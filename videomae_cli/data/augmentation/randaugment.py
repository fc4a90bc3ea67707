"""RandAugment: timm draws the operations of a clip, their magnitudes and signs.

The functions of timm that would change an image are replaced by one that records the call, so that
the draws are those of timm; `steps.py` applies them to all frames at once.
"""

import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from timm.data.auto_augment import RandAugment, rand_augment_transform

from videomae_cli.data.augmentation.steps import GREY, Step
from videomae_cli.errors import RecipeError

RANDAUGMENT = re.compile(r"rand(-(m\d+|n\d+|mstd\d+(\.\d+)?|mmax\d+|inc[01]|p\d+(\.\d+)?))*")


def randaugment_policy(text: str) -> RandAugment:
    """Build timm's RandAugment, with grey fill and bicubic, from `rand-m7-n4-mstd0.5-inc1` or so.

    Called with a tuple of steps, it returns them and those that it draws.

    Raises:
        RecipeError: A part of the text is unknown (timm would ignore some of them silently).
    """
    if not RANDAUGMENT.fullmatch(text):
        raise RecipeError(
            f"augment.randaugment: {text!r} is not a RandAugment setting",
            "write rand, followed by any of -m7 -n4 -mstd0.5 -mmax10 -inc1 -p0.5",
        )
    hparams = {"img_mean": (GREY,) * 3, "interpolation": Image.Resampling.BICUBIC}
    policy: RandAugment = rand_augment_transform(text, hparams)
    for op in policy.ops:
        op.aug_fn = partial(_record, op.aug_fn)
    return policy


def draw_steps(policy: RandAugment, rng: np.random.Generator) -> tuple[Step, ...]:
    """Draw the operations of a clip.

    timm draws from the global `random` and `numpy.random`. Both are seeded before, and restored
    afterwards.
    """
    seed = int(rng.integers(2**32))
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (timm's generator, not ours)
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        steps: tuple[Step, ...] = policy(())
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    return steps


def _record(
    function: Callable[..., Image.Image], steps: tuple[Step, ...], *arguments: Any, **options: Any
) -> tuple[Step, ...]:
    """Stand in for a function of timm: return the steps before and this one."""
    return (*steps, Step(function, arguments, options))

"""RandAugment: the random choices of timm, applied to all frames of a clip at once.

timm draws the operations of a clip, their magnitudes and signs; this module only records what it
draws. Operations on single values become tables of 256 entries, which are composed, so that
several in a row read the pixels once. The pixels are those of timm on Pillow images, to the bit.

Shapes: T frames, H height, W width, C channels, uint8.
"""

import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from timm.data import auto_augment
from timm.data.auto_augment import RandAugment, rand_augment_transform

from videomae_cli.data.augmentation.affine import transform_affine
from videomae_cli.data.augmentation.enhance import (
    adjust_colour,
    contrast_tables,
    has_full_range,
    sharpen,
)
from videomae_cli.data.augmentation.matrices import MATRICES
from videomae_cli.data.resize import Frames
from videomae_cli.errors import RecipeError

GREY = 128
RANDAUGMENT = re.compile(r"rand(-(m\d+|n\d+|mstd\d+(\.\d+)?|mmax\d+|inc[01]|p\d+(\.\d+)?))*")
POINT_FUNCTIONS = (
    auto_augment.invert,
    auto_augment.posterize,
    auto_augment.solarize,
    auto_augment.solarize_add,
    auto_augment.brightness,
)
"""Functions of timm that map each value on its own, in the same way in all channels."""


class Step(NamedTuple):
    """One operation that was drawn."""

    function: Callable[..., Image.Image]
    """timm's, for one Pillow image."""
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    """Interpolation and colour of the background."""


def randaugment_policy(text: str) -> RandAugment:
    """Build timm's RandAugment, with grey fill and bicubic, from `rand-m7-n4-mstd0.5-inc1` or so.

    Called with a tuple, the policy returns it with the drawn steps added, instead of applying them.

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


def randaugment(frames_THWC: Frames, policy: RandAugment, rng: np.random.Generator) -> Frames:
    """Apply RandAugment to every frame, RGB or grey, with the same random choices.

    A grey frame is augmented as RGB: no operation colours it.
    """
    channels = frames_THWC.shape[3]
    rgb = np.broadcast_to(frames_THWC, (*frames_THWC.shape[:3], 3))
    return apply_steps(np.ascontiguousarray(rgb), draw_steps(policy, rng))[..., :channels]


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


def apply_steps(frames_THW3: Frames, steps: tuple[Step, ...]) -> Frames:
    """Return the frames after all steps; the input is not changed."""
    tables: NDArray[np.uint8] | None = None  # (T or 1, 256): steps that are not applied yet
    for step in steps:
        if step.function in POINT_FUNCTIONS:
            table = _point_table(step)
            tables = table if tables is None else table[0][tables]
            continue
        frames_THW3 = _apply_tables(frames_THW3, tables)
        tables = None
        if step.function is auto_augment.contrast:
            tables = contrast_tables(frames_THW3, *step.arguments)
        else:
            frames_THW3 = _apply_step(frames_THW3, step)
    return _apply_tables(frames_THW3, tables)


def _record(
    function: Callable[..., Image.Image], steps: tuple[Step, ...], *arguments: Any, **options: Any
) -> tuple[Step, ...]:
    """Stand in for a function of timm: return the steps so far and this one."""
    return (*steps, Step(function, arguments, options))


def _apply_step(frames_THW3: Frames, step: Step) -> Frames:
    if step.function in MATRICES:
        matrix = MATRICES[step.function](*step.arguments, *frames_THW3.shape[1:3])
        return transform_affine(frames_THW3, matrix, GREY)
    if step.function is auto_augment.color:
        return adjust_colour(frames_THW3, *step.arguments)
    if step.function is auto_augment.sharpness:
        return sharpen(frames_THW3, *step.arguments)
    out = np.empty_like(frames_THW3)
    for frame, result in zip(frames_THW3, out, strict=True):
        if step.function is auto_augment.auto_contrast and has_full_range(frame):
            result[:] = frame
        else:  # equalize, for example: its histograms are faster in Pillow than in NumPy
            result[:] = _apply_by_pillow(frame, step)
    return out


def _apply_by_pillow(frame_HW3: Frames, step: Step) -> Frames:
    image = Image.fromarray(frame_HW3)
    return np.asarray(step.function(image, *step.arguments, **step.options))


def _point_table(step: Step) -> NDArray[np.uint8]:
    """Return what a function makes of each value, (1, 256)."""
    values = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    return _apply_by_pillow(values, step)[..., 0]


def _apply_tables(frames_THW3: Frames, tables: NDArray[np.uint8] | None) -> Frames:
    if tables is None:
        return frames_THW3
    out = np.empty_like(frames_THW3)
    tables = np.broadcast_to(tables, (len(out), 256))
    for frame, table, result in zip(frames_THW3, tables, out, strict=True):
        values = frame.tobytes().translate(table.tobytes())
        result[:] = np.frombuffer(values, np.uint8).reshape(frame.shape)
    return out

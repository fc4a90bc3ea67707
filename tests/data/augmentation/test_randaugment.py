"""RandAugment draws as timm does, once for all frames; global generators are restored."""

import random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.data.augmentation.timm_frames import TEXT, apply_timm, make_clip, timm_policy
from videomae_cli.data import transforms
from videomae_cli.data.augmentation.randaugment import draw_steps, randaugment_policy
from videomae_cli.data.augmentation.steps import apply_steps
from videomae_cli.errors import RecipeError

RNG = np.random.default_rng


def augment(
    frames: NDArray[np.uint8], policy: object, rng: np.random.Generator
) -> NDArray[np.uint8]:
    return apply_steps(frames, None, draw_steps(policy, rng))


def repeated(height: int, width: int) -> NDArray[np.uint8]:
    return np.repeat(RNG(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8), 4, axis=0)


def test_randaugment_treats_all_frames_alike_and_videos_differently() -> None:
    policy = randaugment_policy("rand-m7-n4-mstd0.5-inc1")
    clip = repeated(24, 30)

    results = [augment(clip, policy, RNG(seed)) for seed in range(12)]

    for result in results:
        assert result.shape == clip.shape
        assert (result == result[:1]).all()
    assert len({result.tobytes() for result in results}) > 8
    again = augment(clip, policy, RNG(3))
    assert (again == results[3]).all()


def test_randaugment_leaves_the_global_generators_as_they_were() -> None:
    policy = randaugment_policy("rand-m7-n4-mstd0.5-inc1")
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002

    augment(repeated(16, 16), policy, RNG(0))

    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_randaugment_draws_from_the_increasing_list_with_grey_fill_and_bicubic() -> None:
    policy = randaugment_policy("rand-m7-n4-mstd0.5-inc1")

    names = {op.name for op in policy.ops}

    assert policy.num_layers == 4
    assert len(names) == len(policy.ops) == 15
    assert {"PosterizeIncreasing", "SolarizeAdd", "ColorIncreasing", "TranslateYRel"} <= names
    for op in policy.ops:
        assert op.prob == 0.5
        assert op.magnitude == 7
        assert op.magnitude_std == 0.5
        assert op.kwargs["fillcolor"] == (128, 128, 128)
        assert op.kwargs["resample"] == Image.Resampling.BICUBIC


def test_a_randaugment_setting_with_an_unknown_part_is_an_error() -> None:
    wrong = {}
    for text in ("rand-x3", "auto", "rand-m", "rand-m7-inc", "rand-m7.5", ""):
        try:
            wrong[text] = repr(randaugment_policy(text))
        except (RecipeError, AssertionError, ValueError) as error:  # timm raises the other two
            message = f"augment.randaugment: {text!r} is not a RandAugment setting"
            if not isinstance(error, RecipeError) or error.message != message:
                wrong[text] = repr(error)

    assert wrong == {}


@pytest.mark.parametrize(
    "text", [TEXT, "rand-m9-n2", "rand-m15-n6-mstd1-mmax20-inc1-p0.9", "rand-m5-n8-mstd101-inc0-p1"]
)
def test_clips_are_those_of_timm_on_pillow_frames(text: str) -> None:
    policy, timm = randaugment_policy(text), timm_policy(text)
    wrong = []
    for seed in range(40):
        clip = make_clip(seed, frames=3, height=50, width=68)

        ours = augment(clip, policy, RNG(seed))

        if not (ours == apply_timm(clip, timm, RNG(seed))).all():
            wrong.append(seed)
    assert wrong == []


@pytest.mark.parametrize("crop", ["random-resized", "multiscale"])
def test_a_crop_of_an_augmented_clip_is_that_of_the_clip_of_timm(crop: str) -> None:
    policy, timm = randaugment_policy(TEXT), timm_policy(TEXT)
    wrong = []
    for seed in range(40):
        clip = make_clip(seed, frames=2, height=60, width=80)
        whole_rng, part_rng = RNG(seed), RNG(seed)
        whole = apply_timm(clip, timm, whole_rng)
        steps = draw_steps(policy, part_rng)

        def take(
            frames: NDArray[np.uint8], box: transforms.Box, steps: tuple[Any, ...] = steps
        ) -> NDArray[np.uint8]:
            return apply_steps(frames, box, steps)

        if crop == "multiscale":
            expected = transforms.multiscale_crop(whole, 32, 32, whole_rng)
            ours = transforms.multiscale_crop(clip, 32, 32, part_rng, take)
        else:
            area = (0.08, 1.0)
            expected = transforms.random_resized_crop(whole, 32, 32, whole_rng, area)
            ours = transforms.random_resized_crop(clip, 32, 32, part_rng, area, take)
        if not (ours == expected).all() or whole_rng.random() != part_rng.random():
            wrong.append(seed)
    assert wrong == []

"""Sizes, channels, mean and std of clips in recipes."""

from collections.abc import Sequence

import pytest

from videomae_cli.config.clip import IMAGENET_MEAN, LUMA_WEIGHTS, ClipSpec, reduce_to_luma
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.errors import RecipeError

NAME = "small-data-vits"


def clip(*overrides: str) -> ClipSpec:
    return load_recipe(NAME, overrides).clip


def test_a_size_is_one_number_or_height_and_width_and_is_written_as_it_was_given() -> None:
    square, wide = clip("clip.size=96"), clip("clip.size=[96, 160]")

    assert (square.height, square.width, square.grid().size) == (96, 96, 96)
    assert (wide.height, wide.width, wide.grid().size) == (96, 160, (96, 160))
    assert (wide.grid().h, wide.grid().w) == (6, 10)
    for size in ("112", "[96, 160]"):
        lines = dump_recipe(load_recipe(NAME, [f"clip.size={size}"])).splitlines()
        assert f"  size: {size}" in lines


def test_rgb_statistics_are_reduced_for_grey_and_others_are_kept() -> None:
    grey = clip("clip.channels=1")

    expected = sum(w * value for w, value in zip(LUMA_WEIGHTS, IMAGENET_MEAN, strict=True))
    assert grey.channel_mean == (pytest.approx(expected),)
    assert len(grey.channel_std) == 1
    assert reduce_to_luma((0.3, 0.3, 0.3)) == 0.3
    assert clip("clip.channels=1", "clip.mean=[0.4]").channel_mean == (0.4,)
    assert clip().channel_mean == IMAGENET_MEAN


def test_measured_statistics_are_not_known_before_a_run() -> None:
    measured = clip("clip.mean=measured", "clip.channels=1")

    with pytest.raises(RecipeError, match=r"clip\.mean: measured is not known here"):
        _ = measured.channel_mean
    assert measured.without_measured().channel_mean == (0.5,)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["clip.size=big"], "expected a whole number or a list of values, got 'big'"),
        (["clip.size=[96]"], r"clip\.size: expected a whole number or 2 values, got \[96\]"),
        (["clip.size=[96, 160, 3]"], "expected a whole number or 2 values"),
        (["clip.size=[96, a]"], r"clip\.size\[1\]: expected a whole number, got 'a'"),
        (["clip.size=[96, 100]"], r"width 100 is not a multiple of patch 16"),
        (["clip.channels=9"], "at most 8, got 9"),
        (["clip.channels=2"], "mean has 3 values, and channels is 2: give one value per channel"),
        (["clip.mean=mesured"], "did you mean 'measured'"),
        (["clip.mean=[0.5, a, 1]"], r"^--set clip\.mean\[1\]: expected a number, got 'a'$"),
        (["clip.std=[0.5, 0, 1]"], "must be positive"),
    ],
)
def test_impossible_clips_are_refused_with_the_key_and_the_reason(
    overrides: Sequence[str], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        clip(*overrides)


@pytest.mark.parametrize("name", ["small-data-vits", "small-data-vits-finetune"])
@pytest.mark.parametrize("channels", [1, 2])
def test_channel_mixing_is_refused_for_other_channels_than_rgb(name: str, channels: int) -> None:
    values = [f"clip.channels={channels}", "clip.mean=measured", "clip.std=measured"]
    if name.endswith("finetune"):
        values.append("augment.randaugment=null")
    message = rf"color_mix mixes red, green and blue, but clips have {channels} channels"

    assert load_recipe(name, values).augment.color_mix == 0
    with pytest.raises(RecipeError, match=message):
        load_recipe(name, [*values, "augment.color_mix=0.5"])


@pytest.mark.parametrize("name", ["small-data-vits", "small-data-vits-finetune"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1.01", "expected at most 1, got 1.01"),
        ("-0.1", "expected at least 0, got -0.1"),
        (".nan", "expected a number, got "),
        (".inf", "expected a number, got "),
        ("strong", "expected a number, got 'strong'"),
        ("null", "expected a number, got null"),
    ],
)
def test_a_strength_of_channel_mixing_that_is_no_fraction_is_refused_with_its_key(
    name: str, value: str, words: str
) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        load_recipe(name, [f"augment.color_mix={value}"])
    assert "augment.color_mix" in caught.value.message


def test_randaugment_is_refused_for_other_channels_than_rgb_and_grey() -> None:
    values = ["clip.channels=2", "clip.mean=measured", "clip.std=measured"]

    with pytest.raises(RecipeError, match=r"randaugment works on RGB and grey frames, not on 2"):
        load_recipe("small-data-vits-finetune", [*values, "augment.randaugment=rand-m7"])

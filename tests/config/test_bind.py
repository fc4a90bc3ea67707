"""Every problem of a recipe is reported at once, with its place and a suggestion."""

from typing import Any

import pytest

from videomae_cli.config.bind import bind, dotted_keys
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.errors import RecipeError


def mapping() -> dict[str, Any]:
    return load_recipe("k400-vitb", [], "pretrain").model_dump(mode="json")


def problems(changed: dict[str, Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        bind(changed, PretrainRecipe, file="r.yaml")
    return caught.value.message.splitlines()


def test_all_problems_are_listed_at_once() -> None:
    broken = mapping()
    broken["epocs"] = 800
    broken["mask"]["strategy"] = "tubee"
    broken["optim"]["betas"] = [0.9]
    del broken["clip"]["frames"]

    assert sorted(problems(broken)) == [
        "r.yaml: clip.frames: missing",
        "r.yaml: epocs: unknown key (did you mean 'schedule.epochs'?)",
        "r.yaml: mask.strategy: 'tubee' is not one of tube, space, random, time, motion"
        " (did you mean 'tube'?)",
        "r.yaml: optim.betas: expected 2 values, got 1",
    ]


@pytest.mark.parametrize(
    ("group", "key", "value", "message"),
    [
        ("optim", "betas", [0.9, 0.9, 0.9], "optim.betas: expected 2 values, got 3"),
        ("optim", "betas", 0.9, "optim.betas: expected a list of values, got 0.9"),
        ("optim", "betas", [0.9, 2], "optim.betas[1]: expected at most 1, got 2"),
        ("optim", "base_lr", -1, "optim.base_lr: expected at least 0, got -1"),
        ("optim", "base_lr", True, "optim.base_lr: expected a number, got true"),
        ("optim", "base_lr", None, "optim.base_lr: expected a number, got null"),
        (
            "optim",
            "base_lr",
            "3e-4",
            "optim.base_lr: expected a number, got '3e-4' "
            "(write it without quotes, underscores and leading zeros)",
        ),
        ("optim", "clip_grad", 0, "optim.clip_grad: expected more than 0, got 0"),
        ("train", "batch", 3.0, "train.batch: expected a whole number, got 3.0"),
        ("train", "batch", True, "train.batch: expected a whole number, got true"),
        ("train", "workers", "x", "train.workers: expected a whole number or 'auto', got 'x'"),
        (
            "train",
            "micro_batch",
            "atuo",
            "train.micro_batch: expected a whole number or 'auto', got 'atuo' "
            "(did you mean 'auto'?)",
        ),
        (
            "train",
            "micro_batch",
            0,
            "train.micro_batch: expected at least 1 or 'auto', got 0",
        ),
        ("train", "workers", -1, "train.workers: expected at least 0 or 'auto', got -1"),
        (
            "augment",
            "flip",
            "off",
            "augment.flip: expected true or false, got 'off' (write false)",
        ),
        ("augment", "flip", 1, "augment.flip: expected true or false, got 1"),
        ("augment", "crop", None, "augment.crop: null is not one of multiscale, random-resized"),
        ("mask", "ratio", 1, "mask.ratio: expected less than 1, got 1"),
        ("clip", "size", 225, "clip: height 225 is not a multiple of patch 16"),
        ("optim", "lr", 1, "optim.lr: unknown key (did you mean 'base_lr'?)"),
        ("optim", "xyzzy", 1, "optim.xyzzy: unknown key"),
        ("schedule", "steps", 9, "schedule: give either epochs and warmup_epochs, or steps and"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_expected(
    group: str, key: str, value: object, message: str
) -> None:
    broken = mapping()
    broken[group][key] = value

    (line,) = problems(broken)

    assert line.startswith(f"r.yaml: {message}")


def test_a_misspelt_key_is_not_reported_as_missing_too() -> None:
    broken = mapping()
    broken["optim"]["base_lrr"] = broken["optim"].pop("base_lr")

    assert problems(broken) == ["r.yaml: optim.base_lrr: unknown key (did you mean 'base_lr'?)"]


def test_a_number_in_place_of_a_group_is_reported() -> None:
    assert problems(mapping() | {"optim": 3}) == ["r.yaml: optim: expected a group of keys, got 3"]


def test_the_keys_of_a_model_are_listed_with_dots() -> None:
    keys = set(dotted_keys(PretrainRecipe))

    assert {"seed", "mask", "mask.ratio", "model.decoder.dim"} <= keys

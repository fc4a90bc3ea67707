"""Warnings of settings that stayed on the plateau: only of runs like the measured ones."""

import pytest

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.recipe_paths import list_names
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.tasks.plateau import find_plateau


def known(**changes: str) -> PretrainRecipe:
    """Return `small-data-vits` with the tube masks that were measured, and other changes.

    `__` stands for the dot of a key.
    """
    words = {"mask__ratio": "0.9", **changes}
    pairs = [f"{key.replace('__', '.')}={value}" for key, value in words.items()]
    return load_recipe("small-data-vits", pairs, "pretrain")


TINY = {"model__size": "tiny", "mask__strategy": "random", "mask__ratio": "0.75"}


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, "mask.strategy=tube mask.ratio=0.9"),
        ({"mask__ratio": "0.95"}, "mask.strategy=tube mask.ratio=0.95"),
        ({"mask__strategy": "space"}, "mask.strategy=space mask.ratio=0.9"),
        ({"model__size": "tiny"}, "mask.strategy=tube mask.ratio=0.9"),
        ({"start": "scratch"}, "mask.strategy=tube mask.ratio=0.9"),
    ],
)
def test_the_settings_are_named_with_figures_and_scale(
    changes: dict[str, str], settings: str
) -> None:
    reason = find_plateau(known(**changes), 550)

    assert reason.startswith(f"{settings} target.normalize=patch stayed on the plateau")
    assert "(17,600 here): small-data-vits (ViT-S, 112 pixels" in reason
    assert "loss 0.984 after 550 steps of 32 clips, where predicting the mean gives 0.992" in reason
    assert "mask.strategy=random mask.ratio=0.5 target.normalize=none" in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"mask__ratio": "0.75"},
        {"mask__strategy": "random"},
        {"mask__strategy": "time"},
        {"target__normalize": "none"},
        {"target__normalize": "joint"},
        {"model__size": "vitb"},
        {"train__batch": "64", "train__micro_batch": "64"},
        {"augment__repeats": "2"},
        {"start": "runs/first"},
    ],
)
def test_what_was_not_measured_is_not_warned_of(changes: dict[str, str]) -> None:
    assert find_plateau(known(**changes), 550) == ""


def test_the_length_of_the_run_decides() -> None:
    assert find_plateau(known(), 550)
    assert not find_plateau(known(), 551)
    assert "loss 0.970 after 200 steps of 16" in find_plateau(known(**TINY), 100)
    assert not find_plateau(known(**TINY), 101)


@pytest.mark.parametrize("videos", [50, 162, 1_000, 10_000, 240_000])
def test_no_built_in_recipe_is_warned_of(videos: int) -> None:
    warned = []
    for name in list_names():
        recipe = load_recipe(name)
        if isinstance(recipe, PretrainRecipe):
            batch, epochs = recipe.train.batch, recipe.schedule.epochs or 0
            steps = recipe.schedule.steps or epochs * max(videos, batch) / batch
            warned += [name] * bool(find_plateau(recipe, steps))

    assert warned == []

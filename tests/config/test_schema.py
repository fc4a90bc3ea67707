"""Checks across several fields of a recipe."""

import pytest

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import RecipeError


def problem(name: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, overrides)
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("k400-vitb", "model.decoder.heads=5", "dim 384 is not a multiple of heads 5"),
        ("k400-vitb", "schedule.warmup_epochs=801", "warm-up 801 is longer than the run, 800"),
        ("k400-vitb", "clip.std=[1, 1, 0]", "must be positive"),
        ("k400-vitb", "mask.pool=0.3", "can only be used with strategy motion, not with tube"),
        ("demo", "mask.strategy=motion", "strategy motion needs a pool"),
        (
            "demo",
            "mask.strategy=motion mask.ratio=0.7 mask.pool=0.3",
            "no token is left to predict",
        ),
        ("demo", "mask.targets=running-cell", "running-cell and targets_ratio must be used"),
        ("demo", "clip.oversample=1.5", "clip.oversample above 1 needs mask.strategy motion"),
        ("demo-finetune", "clip.oversample=1.5", "clip.oversample above 1 needs select"),
        ("k400-vitb-finetune", "augment.area=[0.5, 0.1]", "area [0.5, 0.1] must be"),
        ("demo", "train.shard=true train.compile=true", "shard does not support compile"),
        ("demo", "train.shard=true train.micro_batch=auto", "shard needs a number for micro_batch"),
        ("k400-vitb-finetune", "augment.area=[0, 1]", "area [0, 1] must be"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    name: str, override: str, message: str
) -> None:
    assert message in problem(name, *(override.split() if override.count("=") > 1 else [override]))

"""`measured` becomes numbers when a run starts, and other channels than the data's are refused."""

import json
from pathlib import Path

import pytest

from tests.notes import Notes
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.data.manifest import Manifest
from videomae_cli.errors import DataError, RecipeError
from videomae_cli.tasks.train.pixel_statistics import resolve_statistics

FACTS = {"channels": 3, "channel_mean": [0.1, 0.2, 0.3], "channel_std": [0.4, 0.5, 0.6]}
MEASURED = ["clip.mean=measured", "clip.std=measured"]


def prepared(folder: Path, **facts: object) -> Manifest:
    (folder / "dataset.json").write_text(json.dumps(facts))
    return Manifest(folder, (), None, "", folder)


def recipe(*overrides: str) -> Recipe:
    return load_recipe("small-data-vits", overrides)


def test_measured_values_take_the_place_of_the_word_and_are_reported(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, **FACTS, luma_mean=0.25, luma_std=0.45)
    notes = Notes()

    rgb = resolve_statistics(recipe(*MEASURED), manifest, notes).clip
    grey = resolve_statistics(recipe(*MEASURED, "clip.channels=1"), manifest, notes).clip
    mixed = resolve_statistics(recipe("clip.mean=measured"), manifest, notes).clip

    assert (rgb.mean, rgb.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (grey.mean, grey.std) == ((0.25,), (0.45,))
    assert (mixed.mean, mixed.std) == ((0.1, 0.2, 0.3), recipe().clip.std)
    assert resolve_statistics(recipe(), manifest, notes) == recipe()


def test_data_without_statistics_ask_for_prepare_and_flat_ones_for_numbers(tmp_path: Path) -> None:
    old = prepared(tmp_path)
    assert resolve_statistics(recipe(), old, Notes()) == recipe()
    with pytest.raises(DataError, match="has no statistics of its pixels") as caught:
        resolve_statistics(recipe(*MEASURED), old, Notes())
    assert "run videomae prepare again" in caught.value.hint

    flat = prepared(tmp_path, **{**FACTS, "channel_std": [0.1, 0.0, 0.1]})
    with pytest.raises(DataError, match="standard deviation of 0"):
        resolve_statistics(recipe(*MEASURED), flat, Notes())


def test_other_channels_than_those_of_the_data_are_refused(tmp_path: Path) -> None:
    many = [*MEASURED, "clip.channels=4"]
    with pytest.raises(RecipeError, match=r"clip\.channels: 4: the frames of .* have 3"):
        resolve_statistics(recipe(*many), prepared(tmp_path, **FACTS), Notes())
    four = {"channels": 4, "channel_mean": [0.1] * 4, "channel_std": [0.2] * 4}
    assert resolve_statistics(recipe(*many), prepared(tmp_path, **four), Notes()).clip.mean == (
        (0.1,) * 4
    )
    with pytest.raises(RecipeError, match="have 4"):
        resolve_statistics(recipe(), prepared(tmp_path, **four), Notes())

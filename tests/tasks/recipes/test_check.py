"""Parameters, tokens and steps of a recipe, before anything is trained."""

from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.cli.app import run
from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import RecipeError
from videomae_cli.tasks.recipes.check import check_recipe, check_recipes


def test_parameters_tokens_and_steps_of_a_pretraining_recipe_are_counted() -> None:
    checked = check_recipe("mine", load_recipe("hybrid-vitb", ["train.batch=512"]))

    assert (checked.parameters, checked.tokens, checked.visible) == (94_210_944, 1568, 160)
    assert (checked.targets, checked.counted) == (784, 704)
    assert (checked.clips, checked.peak_lr) == (2048, 2e-3)
    assert checked.steps == 200 * 1000 / 512
    assert checked.cells() == ("mine", "94.2 M", "1,568", "160", "784", "391")


def test_parameters_of_a_classifier_are_counted_without_its_last_layer() -> None:
    checked = check_recipe("mine", load_recipe("k400-vitb-finetune"))

    assert checked.parameters == 86_534_800 - 400 * (768 + 1)
    assert (checked.visible, checked.targets) == (1568, 0)


def test_a_recipe_in_steps_shows_the_length_of_the_run() -> None:
    changes = ["schedule.steps=1900", "schedule.warmup_steps=0"]
    checked = check_recipe("demo", load_recipe("demo", changes))

    assert (checked.steps, checked.in_all) == (1900, True)
    assert checked.cells()[-1] == "1,900 in all"


def test_micro_batch_auto_is_not_searched_for() -> None:
    auto, number = (
        check_recipe("demo", load_recipe("demo", [f"train.micro_batch={size}"]))
        for size in ("auto", 8)
    )

    assert auto == number


def test_all_problems_are_reported_with_the_valid_recipes(tmp_path: Path) -> None:
    text = recipe_paths.find_recipe("demo").read_text(encoding="utf-8")
    unbound, unbuilt = tmp_path / "unbound.yaml", tmp_path / "unbuilt.yaml"
    unbound.write_text(text.replace("seed:", "sed:"), encoding="utf-8")
    few = text.replace("strategy: random", "strategy: tube").replace("ratio: 0.5", "ratio: 0.01")
    unbuilt.write_text(few, encoding="utf-8")

    result = check_recipes([str(unbound), "demo", str(unbuilt), "demoo"], Notes())

    assert [one.recipe for one in result.checked] == ["demo"]
    assert len(result.problems) == 3
    expected = (
        "unbound.yaml: sed: unknown key",
        "unbuilt.yaml: mask.ratio: 0.01",
        "demoo: no built-in",
    )
    for problem, text in zip(result.problems, expected, strict=True):
        assert text in problem


def test_an_unknown_randaugment_policy_is_found_before_a_run() -> None:
    with pytest.raises(RecipeError, match="rand-x7"):
        check_recipe("x", load_recipe("k400-vits-finetune", ["augment.randaugment=rand-x7"]))


def test_with_data_steps_are_for_its_training_videos(tmp_path: Path) -> None:
    for number in range(6):
        write_clip(tmp_path / "videos" / ("run", "sit")[number % 2] / f"{number}.mp4", 8)
    assert run(["prepare", str(tmp_path / "videos"), "--out", str(tmp_path / "data")]) == 0
    count = len(read_manifest(tmp_path / "data").split("train"))

    result = check_recipes(["small-data-vits"], Notes(), data=tmp_path / "data")

    assert result.checked[0].steps == 800 * count / 32
    assert result.start is not None and not result.start.pretrains
    assert f"--data {tmp_path / 'data'} --checkpoint WEIGHTS" in result.start.command
    assert result.as_json()["start"]["command"] == result.start.command
    assert "start" not in check_recipes(["demo"], Notes()).as_json()


def test_settings_that_stayed_on_the_plateau_are_warned_of(tmp_path: Path) -> None:
    for number in range(40):
        write_clip(tmp_path / "videos" / f"{number}.mp4", 8)
    assert run(["prepare", str(tmp_path / "videos"), "--out", str(tmp_path / "data")]) == 0
    few = tmp_path / "few.yaml"
    text = recipe_paths.find_recipe("small-data-vits").read_text(encoding="utf-8")
    text = text.replace("epochs: 800", "epochs: 60").replace("ratio: 0.75", "ratio: 0.9")
    few.write_text(text, encoding="utf-8")
    notes = Notes()

    result = check_recipes([str(few), "small-data-vits", "demo"], notes, data=tmp_path / "data")

    assert result.problems == []
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith(f"{few}: mask.strategy=tube mask.ratio=0.9 ")
    assert result.as_json()["warnings"] == list(result.warnings) == notes.warned
    # without data, the number of steps is not known
    assert check_recipes([str(few)], Notes()).warnings == ()


def test_a_recipe_that_counts_steps_is_warned_of_without_data(tmp_path: Path) -> None:
    short = tmp_path / "short.yaml"
    text = recipe_paths.find_recipe("demo").read_text(encoding="utf-8")
    text = text.replace("normalize: none", "normalize: patch").replace("steps: 3200", "steps: 100")
    text = text.replace("warmup_steps: 160", "warmup_steps: 10")
    text = text.replace("ratio: 0.5", "ratio: 0.75")
    short.write_text(text, encoding="utf-8")

    result = check_recipes([str(short)], Notes())

    assert result.warnings[0].startswith(f"{short}: mask.strategy=random mask.ratio=0.75 ")
    assert "(3,200 here)" in result.warnings[0]


def test_no_built_in_recipe_is_warned_of() -> None:
    assert check_recipes([], Notes()).warnings == ()

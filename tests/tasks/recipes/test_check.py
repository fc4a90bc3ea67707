"""What a recipe comes to, before anything is trained."""

from pathlib import Path

import pytest

from tests.notes import Notes
from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import RecipeError
from videomae_cli.tasks.recipes import check as recipe_check


def test_a_pretraining_is_counted() -> None:
    checked = recipe_check.check("mine", load_recipe("hybrid-vitb", ["train.batch=512"]))

    assert (checked.parameters, checked.tokens, checked.visible) == (94_210_944, 1568, 160)
    assert (checked.targets, checked.counted) == (784, 704)
    assert (checked.clips, checked.peak_lr) == (2048, 2e-3)
    assert checked.steps == 200 * 1000 / 512
    assert checked.cells() == ("mine", "94.2 M", "1,568", "160", "784", "391")


def test_a_classifier_is_counted_without_the_layer_that_grows_with_its_classes() -> None:
    checked = recipe_check.check("mine", load_recipe("k400-vitb-finetune"))

    assert checked.parameters == 86_534_800 - 400 * (768 + 1)
    assert (checked.visible, checked.targets) == (1568, 0)


def test_a_recipe_in_steps_says_all_of_them() -> None:
    changes = ["schedule.steps=1900", "schedule.warmup_steps=0"]
    checked = recipe_check.check("demo", load_recipe("demo", changes))

    assert (checked.steps, checked.in_all) == (1900, True)
    assert checked.cells()[-1] == "1,900 in all"


def test_a_micro_batch_that_is_to_be_found_is_not_looked_for() -> None:
    auto, number = (
        recipe_check.check("demo", load_recipe("demo", [f"train.micro_batch={size}"]))
        for size in ("auto", 8)
    )

    assert auto == number


def test_every_problem_is_reported_and_the_sound_recipes_too(tmp_path: Path) -> None:
    text = recipe_paths.find_recipe("demo").read_text(encoding="utf-8")
    unbound, unbuilt = tmp_path / "unbound.yaml", tmp_path / "unbuilt.yaml"
    unbound.write_text(text.replace("seed:", "sed:"), encoding="utf-8")
    few = text.replace("strategy: random", "strategy: tube").replace("ratio: 0.5", "ratio: 0.01")
    unbuilt.write_text(few, encoding="utf-8")

    result = recipe_check.run([str(unbound), "demo", str(unbuilt), "demoo"], Notes())

    assert [one.recipe for one in result.checked] == ["demo"]
    assert len(result.problems) == 3
    wanted = (
        "unbound.yaml: sed: unknown key",
        "unbuilt.yaml: mask.ratio: 0.01",
        "demoo: no built-in",
    )
    for problem, said in zip(result.problems, wanted, strict=True):
        assert said in problem


def test_a_randaugment_text_that_means_nothing_is_found_before_a_run() -> None:
    with pytest.raises(RecipeError, match="rand-x7"):
        recipe_check.check("x", load_recipe("k400-vits-finetune", ["augment.randaugment=rand-x7"]))

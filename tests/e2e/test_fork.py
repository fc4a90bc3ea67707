"""A fork that cannot start leaves no run behind, and none is continued by mistake."""

import json
import shutil
from pathlib import Path

import pytest

from tests.notes import Notes
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.errors import TrainingError
from videomae_cli.tasks.train import finetune, pretrain


def recipe_for(recipes: Path, data: Path, *changes: str) -> PretrainRecipe:
    settings = [f"data='{data}'", "train.workers=0", *changes]
    return load_recipe(str(recipes / "micro.yaml"), settings, "pretrain")


@pytest.fixture
def parent(recipes: Path, prepared: Path, tmp_path: Path) -> Path:
    """Return a finished run of 4 steps."""
    run = tmp_path / "parent"
    pretrain.run(recipe_for(recipes, prepared, "schedule.steps=4"), run, Notes())
    return run


def test_a_refused_fork_leaves_no_run_and_may_be_repeated(
    parent: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    shorter = recipe_for(recipes, prepared, "schedule.steps=3")
    longer = recipe_for(recipes, prepared, "schedule.steps=6")
    with pytest.raises(TrainingError, match="beyond the 3 steps"):
        pretrain.run(shorter, tmp_path / "fork", Notes(), parent)
    assert not (tmp_path / "fork/recipe.yaml").exists()

    pretrain.run(longer, tmp_path / "fork", Notes(), parent)
    pretrain.run(longer, tmp_path / "other", Notes(), parent)

    for name in ("metrics.jsonl", "final/model.safetensors", "recipe.yaml"):
        fork, other = (tmp_path / run / name for run in ("fork", "other"))
        assert fork.read_bytes() == other.read_bytes(), name


def test_the_rest_of_a_fork_is_not_continued_by_a_fresh_run(
    parent: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="beyond"):
        pretrain.run(
            recipe_for(recipes, prepared, "schedule.steps=3"), tmp_path / "fork", Notes(), parent
        )

    with pytest.raises(TrainingError, match=r"fork\.json.* without a recipe\.yaml") as caught:
        pretrain.run(recipe_for(recipes, prepared, "schedule.steps=6"), tmp_path / "fork", Notes())

    assert "--fork" in caught.value.hint
    assert not (tmp_path / "fork/recipe.yaml").exists()


def test_a_fork_whose_run_is_gone_says_which(
    parent: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    longer = recipe_for(recipes, prepared, "schedule.steps=6")
    fork = tmp_path / "fork"
    pretrain.run(longer, fork, Notes(), parent)
    shutil.rmtree(fork / "checkpoints")
    shutil.rmtree(fork / "final")
    shutil.rmtree(parent)

    with pytest.raises(TrainingError, match="parent has no checkpoint any more"):
        pretrain.run(longer, fork, Notes())

    assert json.loads((fork / "fork.json").read_text())["run"] == str(parent)


def test_a_fork_does_not_continue_a_head_with_the_classes_in_another_order(
    recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    for name, classes in (("other", ["slow", "fast"]), ("typo", ["Fast", "slow"])):
        (tmp_path / name).mkdir()
        for file in prepared.iterdir():
            if file.is_file():
                shutil.copy(file, tmp_path / name)
        (tmp_path / name / "classes.json").write_text(json.dumps(classes))
    recipe = load_recipe(
        str(recipes / "micro-finetune.yaml"),
        [f"data='{prepared}'", "train.workers=0", "start=scratch", "schedule.steps=2"],
        "finetune",
    )
    finetune.run(recipe, tmp_path / "parent", Notes())
    longer = recipe.schedule.model_copy(update={"steps": 3})

    def fork(name: str) -> None:
        changed = recipe.model_copy(update={"data": tmp_path / name, "schedule": longer})
        finetune.run(changed, tmp_path / f"fork-{name}", Notes(), tmp_path / "parent")

    with pytest.raises(TrainingError, match="data: slow, fast; checkpoint: fast, slow"):
        fork("other")
    fork("typo")

    assert not (tmp_path / "fork-other/fork.json").exists()
    assert (tmp_path / "fork-typo/final/model.json").is_file()

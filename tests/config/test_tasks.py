"""The task of a fine-tuning recipe and its class weights, and what model.json records of them."""

import json
from pathlib import Path

import pytest

from videomae_cli.config.model_config import ModelConfig, classifier_config
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.errors import RecipeError

RECIPE = "k400-vits-finetune"


def load(*overrides: str) -> FinetuneRecipe:
    return load_recipe(RECIPE, overrides, "finetune")


def test_a_recipe_without_a_task_takes_that_of_the_data() -> None:
    recipe = load()
    assert recipe.task is None and recipe.class_weights is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=multilabel"], "did you mean 'multi-label'?"),
        (["class_weights=balance"], "expected 'balanced' or a list of values, got 'balance'"),
        (["class_weights=[1, 0]"], "--set class_weights[1]: expected more than 0, got 0"),
        (["task=regression"], "label smoothing is for classes; use 0"),
        (
            ["task=regression", "augment.smoothing=0", "class_weights=balanced"],
            "class_weights have no meaning with task regression",
        ),
    ],
)
def test_a_wrong_task_or_weight_is_one_line_that_names_the_key(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load(*overrides)
    assert message in caught.value.message and "\n" not in caught.value.message


def test_weights_survive_writing_and_reading(tmp_path: Path) -> None:
    for text in ("balanced", "[2.0, 0.5]"):
        recipe = load("task=multi-label", f"class_weights={text}")
        (tmp_path / "r.yaml").write_text(dump_recipe(recipe))
        assert load_recipe(str(tmp_path / "r.yaml")) == recipe


def test_model_json_of_a_single_label_classifier_has_no_new_fields() -> None:
    content = json.loads(classifier_config(load(), ["run", "jump"]).to_json())
    assert not {"task", "target_mean", "target_std"} & content.keys()
    assert ModelConfig.model_validate_json(json.dumps(content)).task == "single-label"


def test_model_json_of_a_regression_records_mean_and_std() -> None:
    config = classifier_config(load("task=regression", "augment.smoothing=0"), ["speed"])
    config = config.model_copy(update={"target_mean": (1.5,), "target_std": (0.5,)})
    again = ModelConfig.model_validate_json(config.to_json())
    assert again == config and again.task == "regression" and again.target_std == (0.5,)

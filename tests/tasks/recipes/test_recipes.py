"""List, show and copy recipes."""

from pathlib import Path

import pytest

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.tasks.recipes import recipes


def test_the_list_contains_every_recipe_once_and_fine_tuning_after_pretraining() -> None:
    names = [one.name for one in recipes.list_recipes()]

    assert sorted(names) == list(recipe_paths.list_names())
    assert names.index("k400-vitb-finetune") == names.index("k400-vitb") + 1


def test_a_line_of_the_list_has_name_kind_family_size_data_and_accuracy() -> None:
    (line,) = recipes.list_recipes("ssv2-vits-finetune")

    assert line[:-1] == (
        *("ssv2-vits-finetune", "finetune", "VideoMAE", "vits", "ssv2"),
        "66.8 % (2 x 3)",
    )


@pytest.mark.parametrize(
    ("text", "first", "count"), [("mae-st", "k400-vitb-maest", 6), ("VITG", "hybrid-vitg", 7)]
)
def test_the_list_is_filtered_by_text_in_any_column(text: str, first: str, count: int) -> None:
    names = [one.name for one in recipes.list_recipes(text)]

    assert first in names
    assert len(names) >= count
    assert "k400-vits" not in names


def test_text_in_no_recipe_is_an_error() -> None:
    with pytest.raises(RecipeError, match="imagenet: no built-in recipe contains this text"):
        recipes.list_recipes("imagenet")


@pytest.mark.parametrize("name", ["k400-vitl-maest", "ego4d-oscc-vitb-everest-finetune"])
def test_a_resolved_recipe_is_a_valid_file_with_its_header(name: str, tmp_path: Path) -> None:
    resolved = recipes.resolve_recipe(name, ["seed=7"])
    file = tmp_path / "again.yaml"

    file.write_text(resolved.as_yaml(), encoding="utf-8")

    assert load_recipe(str(file)) == load_recipe(name, ["seed=7"])
    assert recipe_paths.read_header(file) == recipe_paths.read_header(
        recipe_paths.find_recipe(name)
    )


def test_a_copy_equals_the_recipe_and_names_the_schema_for_editors(tmp_path: Path) -> None:
    copy = recipes.copy_recipe("k400-vitb", tmp_path / "mine.yaml")

    first = copy.read_text(encoding="utf-8").splitlines()[0]
    assert load_recipe(str(copy)) == load_recipe("k400-vitb")
    assert Path(first.partition("$schema=")[2]).samefile(recipe_paths.builtin_dir() / "schema.json")


def test_a_copy_into_a_directory_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()

    assert recipes.copy_recipe("demo", Path("mine")) == Path("mine/demo.yaml")
    assert recipes.copy_recipe("demo", None) == Path("demo.yaml")


def test_a_copy_replaces_no_file_without_force(tmp_path: Path) -> None:
    existing = tmp_path / "mine.yaml"
    existing.write_text("my work\n", encoding="utf-8")

    with pytest.raises(UsageError, match="already exists"):
        recipes.copy_recipe("demo", existing)

    assert existing.read_text(encoding="utf-8") == "my work\n"
    assert load_recipe(str(recipes.copy_recipe("demo", existing, force=True))) == load_recipe(
        "demo"
    )


@pytest.mark.parametrize(
    ("name", "destination", "problem"),
    [
        ("demo", "mine", "the name of a recipe ends in .yaml"),
        ("demo", "nowhere/mine.yaml", "cannot be written"),
        ("demo.yaml", "demo.yaml", "this is the recipe itself"),
    ],
)
def test_an_impossible_copy_is_refused(
    name: str, destination: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipes.copy_recipe("demo", Path("demo.yaml"))

    with pytest.raises(UsageError, match=problem):
        recipes.copy_recipe(name, Path(destination), force=True)

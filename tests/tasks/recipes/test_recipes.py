"""Listing, showing and copying recipes."""

from pathlib import Path

import pytest

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.tasks.recipes import recipes


def test_the_list_holds_every_recipe_once_and_a_finetuning_after_its_pretraining() -> None:
    names = [one.name for one in recipes.listing()]

    assert sorted(names) == list(recipe_paths.list_names())
    assert names.index("k400-vitb-finetune") == names.index("k400-vitb") + 1


def test_a_line_of_the_list_says_what_the_recipe_is() -> None:
    (line,) = recipes.listing("ssv2-vits-finetune")

    assert line[:-1] == (
        *("ssv2-vits-finetune", "finetune", "VideoMAE", "vits", "ssv2"),
        "66.8 % (2 x 3)",
    )


@pytest.mark.parametrize(
    ("text", "first", "count"), [("mae-st", "k400-vitb-maest", 6), ("VITG", "hybrid-vitg", 7)]
)
def test_the_list_is_narrowed_by_text_in_any_column(text: str, first: str, count: int) -> None:
    names = [one.name for one in recipes.listing(text)]

    assert first in names
    assert len(names) >= count
    assert "k400-vits" not in names


def test_text_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(RecipeError, match="imagenet: in no column"):
        recipes.listing("imagenet")


@pytest.mark.parametrize("name", ["k400-vitl-maest", "ego4d-oscc-vitb-everest-finetune"])
def test_what_is_shown_is_a_recipe_again_with_its_header(name: str, tmp_path: Path) -> None:
    shown = recipes.show(name, ["seed=7"])
    file = tmp_path / "again.yaml"

    file.write_text(shown.as_yaml(), encoding="utf-8")

    assert load_recipe(str(file)) == load_recipe(name, ["seed=7"])
    assert recipe_paths.read_header(file) == recipe_paths.read_header(
        recipe_paths.find_recipe(name)
    )


def test_a_copy_is_the_recipe_and_its_editor_finds_the_schema(tmp_path: Path) -> None:
    copy = recipes.copy("k400-vitb", tmp_path / "mine.yaml")

    first = copy.read_text(encoding="utf-8").splitlines()[0]
    assert load_recipe(str(copy)) == load_recipe("k400-vitb")
    assert Path(first.partition("$schema=")[2]).samefile(recipe_paths.builtin_dir() / "schema.json")


def test_a_copy_into_a_directory_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()

    assert recipes.copy("demo", Path("mine")) == Path("mine/demo.yaml")
    assert recipes.copy("demo", None) == Path("demo.yaml")


def test_a_copy_replaces_nothing_unless_told_to(tmp_path: Path) -> None:
    there = tmp_path / "mine.yaml"
    there.write_text("my work\n", encoding="utf-8")

    with pytest.raises(UsageError, match="is there already"):
        recipes.copy("demo", there)

    assert there.read_text(encoding="utf-8") == "my work\n"
    assert load_recipe(str(recipes.copy("demo", there, force=True))) == load_recipe("demo")


@pytest.mark.parametrize(
    ("name", "destination", "said"),
    [
        ("demo", "mine", "a recipe ends in .yaml"),
        ("demo", "nowhere/mine.yaml", "cannot be written"),
        ("demo.yaml", "demo.yaml", "this is the recipe itself"),
    ],
)
def test_a_copy_that_cannot_be_is_refused(
    name: str, destination: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipes.copy("demo", Path("demo.yaml"))

    with pytest.raises(UsageError, match=said):
        recipes.copy(name, Path(destination), force=True)

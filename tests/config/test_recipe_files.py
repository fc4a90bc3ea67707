"""Find a recipe, change it with --set, and write it back."""

import subprocess
import sys
from pathlib import Path

import pytest

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import MAX_BYTES, RecipeKind, dump_recipe, load_recipe
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.errors import RecipeError


def message(name: str, *overrides: str, kind: RecipeKind | None = None) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, overrides, kind)
    return f"{caught.value.message}\n{caught.value.hint}"


def test_a_recipe_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    copied = tmp_path / "mine.yaml"
    copied.write_bytes((recipe_paths.builtin_dir() / "k400-vitb.yaml").read_bytes())

    assert load_recipe(str(copied)) == load_recipe("k400-vitb")


def test_a_file_in_the_working_directory_needs_its_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo.yaml").write_bytes(
        (recipe_paths.builtin_dir() / "k400-vitb.yaml").read_bytes()
    )
    monkeypatch.chdir(tmp_path)

    assert load_recipe("demo.yaml") == load_recipe("k400-vitb")
    assert load_recipe("demo") != load_recipe("k400-vitb")


def test_an_unknown_name_gets_a_suggestion_and_the_command_that_lists_names() -> None:
    text = message("k400-vtib")

    assert text.startswith("k400-vtib: no built-in recipe of that name (did you mean 'k400-vit")
    assert "videomae recipes ls" in text


def test_the_message_about_a_missing_file_has_its_name() -> None:
    assert message("nowhere/mine.yaml").startswith("nowhere/mine.yaml: no such recipe file")


def test_a_recipe_of_the_other_kind_names_the_command_it_is_for() -> None:
    text = message("k400-vitb-finetune", kind="pretrain")

    assert "this is a finetune recipe; use `videomae finetune`" in text
    assert "videomae recipes ls pretrain" in text


def test_set_changes_one_key() -> None:
    recipe = load_recipe("k400-vitb", ["mask.ratio=0.75", "optim.betas=[0.8, 0.99]"], "pretrain")

    assert recipe.mask.ratio == 0.75
    assert recipe.optim.betas == (0.8, 0.99)
    assert recipe.model_copy(update={"mask": None, "optim": None}) == load_recipe(
        "k400-vitb"
    ).model_copy(update={"mask": None, "optim": None})


def test_set_trades_epochs_for_steps() -> None:
    recipe = load_recipe(
        "k400-vitb",
        [
            "schedule.epochs=null",
            "schedule.warmup_epochs=null",
            "schedule.steps=10",
            "schedule.warmup_steps=2",
        ],
    )

    assert (recipe.schedule.steps, recipe.schedule.epochs) == (10, None)


def test_set_keeps_text_with_signs_whole() -> None:
    path = "/a b/c=d/clips"

    assert load_recipe("k400-vitb", [f"data={path}"]).data == Path(path)


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("mask.ratio", "--set mask.ratio: not KEY=VALUE"),
        ("=3", "--set =3: not KEY=VALUE"),
        ("optim.betas[0]=1", "--set optim.betas[0]=1: not KEY=VALUE"),
        ("mask.ratio=", "--set mask.ratio=: the value is missing"),
        ("mask={ratio: 1}", "--set mask: a group of keys"),
        ("mask.rato=0.5", "--set mask.rato: unknown key (did you mean 'ratio'?)"),
        ("masks.ratio=0.5", "--set masks: unknown key (did you mean 'mask'?)"),
        ("seed.x=1", "--set seed.x: seed is a value, not a group of keys"),
        ("optim.betas=[0.9]", "--set optim.betas: expected 2 values, got 1"),
        ("optim.betas=[0.9", "--set optim.betas: not valid YAML"),
        ("augment.flip=off", "--set augment.flip: expected true or false, got 'off' (write false)"),
        ("clip.size=225", "recipes/k400-vitb.yaml with --set clip.size: clip: height 225"),
    ],
)
def test_a_problem_caused_by_set_is_reported_for_set(
    override: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe_paths.builtin_dir().parent)

    assert message("k400-vitb", override).startswith(start)


def test_one_key_cannot_be_set_twice() -> None:
    assert message("k400-vitb", "seed=1", "seed=2").startswith("--set seed: given twice")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"- a\n- b\n", "not a recipe: expected keys with values"),
        (b"seed: 0\n", "kind: None is not one of pretrain, finetune"),
        (b"kind: pretrane\n", "kind: 'pretrane' is not one of pretrain, finetune"),
        (b"#" * (MAX_BYTES + 1), "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    assert problem in message(str(path))


def test_a_recipe_loads_back_equal_from_its_dump(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    changed = []

    for name in recipe_paths.list_names():
        recipe = load_recipe(name)
        path.write_text(dump_recipe(recipe), encoding="utf-8")
        if load_recipe(str(path)) != recipe:
            changed.append(name)

    assert changed == []


@pytest.mark.parametrize(
    "text",
    ["off", "3e-4", "null", "~", "010", "a: b", "# c", "déjà vu 🎬", "q'\"\\", "\x7f\n", " "],
)
def test_any_text_is_still_text_after_a_dump(text: str, tmp_path: Path) -> None:
    recipe = load_recipe("k400-vitb").model_copy(update={"data": Path(text)})
    path = tmp_path / "recipe.yaml"

    path.write_text(dump_recipe(recipe), encoding="utf-8")

    assert load_recipe(str(path)).data == Path(text)


def test_dumped_numbers_are_numbers_in_yaml_1_1_too() -> None:
    assert "eps: 1.0e-08" in dump_recipe(load_recipe("k400-vitb"))


def test_a_resolved_recipe_cannot_be_changed() -> None:
    recipe = load_recipe("k400-vitb-finetune")

    assert isinstance(recipe, FinetuneRecipe)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3


def test_listing_names_reads_no_yaml() -> None:
    code = (
        "import sys; from videomae_cli.config.recipe_paths import list_names;"
        "assert list_names('pretrain');"
        "print([m for m in ('yaml', 'pydantic', 'torch', 'numpy') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

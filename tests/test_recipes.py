"""Every recipe binds, builds, and says honestly where it comes from."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from videomae_cli.config import recipe_paths
from videomae_cli.config.bind import dotted_keys
from videomae_cli.config.json_schema import recipe_schema
from videomae_cli.config.model import MaskSpec, Size
from videomae_cli.config.recipe_files import RECIPE_CLASSES, load_recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.masking import MASKERS, REFINERS
from videomae_cli.tasks.recipes import check as recipe_check

ROOT = Path(__file__).resolve().parent.parent
NAMES = recipe_paths.list_names()


def said(name: str) -> dict[str, str]:
    return recipe_paths.read_header(recipe_paths.builtin_dir() / f"{name}.yaml")


THEIRS = [name for name in NAMES if recipe_paths.family_of(said(name)) != "ours"]


def test_the_recipes_of_this_checkout_are_the_ones_tested() -> None:
    assert recipe_paths.builtin_dir() == ROOT / "recipes"
    assert {"demo", "k400-vitb", "ucf101-vitb", "small-data-vits"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_names_source_command_cost_number_and_status(name: str) -> None:
    first = (
        (recipe_paths.builtin_dir() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    )

    assert first == "# yaml-language-server: $schema=schema.json"
    optional = {"Differs", "Starts from"}
    assert set(said(name)) >= {"Title", *recipe_paths.HEADINGS} - optional
    assert recipe_paths.family_of(said(name)) in recipe_paths.FAMILIES


@pytest.mark.parametrize("name", THEIRS)
def test_a_transcribed_recipe_says_so_and_where_it_differs(name: str) -> None:
    header = said(name)

    honest = (
        r"(Transcribed|Reconstructed from the paper).*, not reproduced by us\.|Reproduced on 20"
    )
    assert re.match(honest, header["Status"])
    assert "arXiv" in header["Reproduces"]
    assert re.search(r"\d+\.\d % top-1.*views|no number in the model zoo", header["Expected"])
    assert header["Differs"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_a_header_runs_that_recipe(name: str) -> None:
    command = said(name)["Command"]
    kind = load_recipe(name).kind

    assert command == "videomae demo" or command.startswith(f"videomae {kind} --recipe {name} ")


@pytest.mark.parametrize("name", recipe_paths.list_names("finetune"))
def test_a_finetuning_recipe_fits_the_encoder_it_starts_from(name: str) -> None:
    before = load_recipe(said(name)["Starts from"].split()[0])
    after = load_recipe(name)

    assert after.model.size == before.model.size
    assert after.clip.grid() == before.clip.grid()
    for key in ("positions", "class_token", "biases"):
        assert getattr(after.model, key) == getattr(before.model, key)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_goes_with_the_family_it_names(name: str) -> None:
    recipe, family = load_recipe(name), recipe_paths.family_of(said(name))
    moves = recipe.select if recipe.kind == "finetune" else recipe.mask.pool

    assert (recipe.model.positions == "separable") == (family == "MAE-ST")
    assert (moves is not None) == (family == "EVEREST")
    if recipe.kind == "pretrain":
        assert (recipe.mask.targets == "running-cell") == (family == "VideoMAE V2")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("ssv2-")])
def test_left_and_right_stay_apart_where_they_are_classes(name: str) -> None:
    assert load_recipe(name).augment.flip is False


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_builds_on_the_meta_device(name: str) -> None:
    recipe = load_recipe(name)
    model = recipe_check.model_of(recipe)

    assert len(model.encoder.blocks) == SIZES[recipe.model.size].depth
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_every_key_of_a_recipe_is_read_somewhere() -> None:
    keys = {
        key.rpartition(".")[2] for model in RECIPE_CLASSES.values() for key in dotted_keys(model)
    }
    parts = {"clip.py", "model.py", "schema.py", "spec.py", "training.py"}
    read = {
        node.attr
        for path in (ROOT / "videomae_cli").rglob("*.py")
        if path.parent.name != "config" or path.name not in parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }

    assert sorted(keys - read) == []


def test_the_readme_and_the_schema_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "recipes" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_lists_every_recipe() -> None:
    readme = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")

    assert [name for name in NAMES if f"[`{name}`]({name}.yaml)" not in readme] == []


def test_the_schema_explains_every_key_and_forbids_unknown_ones() -> None:
    groups = json.loads(recipe_schema())["$defs"]

    for name, group in groups.items():
        assert group["additionalProperties"] is False, name
        assert [key for key, one in group["properties"].items() if "description" not in one] == []


def test_the_choices_of_the_schema_are_the_keys_of_the_dicts() -> None:
    assert set(get_args(Size)) == set(SIZES)
    assert set(get_args(MaskSpec.model_fields["strategy"].annotation)) == set(MASKERS)
    assert set(get_args(MaskSpec.model_fields["targets"].annotation)) == set(REFINERS)

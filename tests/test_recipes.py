"""Every recipe binds, builds, and says honestly where it comes from."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch

from videomae_cli.config import library
from videomae_cli.config.bind import dotted_keys
from videomae_cli.config.json_schema import recipe_schema
from videomae_cli.config.model import MaskSpec, Size
from videomae_cli.config.recipes import MODELS, load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.masking import MASKERS
from videomae_cli.models.sizes import SIZES
from videomae_cli.tasks import build, cards

ROOT = Path(__file__).resolve().parent.parent
NAMES = library.names()
PUBLISHED = ("k400-", "ucf101-")


def said(name: str) -> dict[str, str]:
    return library.header(library.builtin_dir() / f"{name}.yaml")


def test_the_recipes_of_this_checkout_are_the_ones_tested() -> None:
    assert library.builtin_dir() == ROOT / "recipes"
    assert {"demo", "k400-vitb", "ucf101-vitb", "small-data-vits"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_names_source_command_cost_number_and_status(name: str) -> None:
    first = (library.builtin_dir() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]

    assert first == "# yaml-language-server: $schema=schema.json"
    assert set(said(name)) >= {"Title", *library.HEADINGS} - {"Differs"}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(PUBLISHED)])
def test_a_transcribed_recipe_says_so_and_where_paper_and_script_differ(name: str) -> None:
    header = said(name)

    assert header["Status"].startswith(("Transcribed, not reproduced by us", "Reproduced on 20"))
    assert "arXiv" in header["Reproduces"]
    assert re.search(r"\d+\.\d % top-1.*views", header["Expected"])
    assert header["Differs"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_a_header_runs_that_recipe(name: str) -> None:
    command = said(name)["Command"]
    kind = load_recipe(name).kind

    assert command == "videomae demo" or command.startswith(f"videomae {kind} --recipe {name} ")


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-finetune")])
def test_a_finetuning_recipe_fits_the_encoder_it_starts_from(name: str) -> None:
    before = load_recipe(name.removesuffix("-finetune"))
    after = load_recipe(name)

    assert after.model.size == before.model.size
    assert after.clip.grid() == before.clip.grid()


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_builds_on_the_meta_device(name: str) -> None:
    recipe = load_recipe(name)

    with torch.device("meta"):
        if isinstance(recipe, PretrainRecipe):
            encoder = build.build_autoencoder(cards.card_for_pretrain(recipe)).encoder
        else:
            card = cards.card_for_finetune(recipe, [f"class {i}" for i in range(400)])
            encoder = build.build_classifier(card, drop_path=recipe.model.drop_path).encoder

    assert len(encoder.blocks) == SIZES[recipe.model.size].depth


def test_every_key_of_a_recipe_is_read_somewhere() -> None:
    keys = {key.rpartition(".")[2] for model in MODELS.values() for key in dotted_keys(model)}
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

"""Every built-in recipe loads, builds, and names its source; each test lists all that do not."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import get_args

from videomae_cli.config import recipe_paths
from videomae_cli.config.bind import dotted_keys
from videomae_cli.config.json_schema import recipe_schema
from videomae_cli.config.model import MaskSpec, Size
from videomae_cli.config.recipe_files import RECIPE_CLASSES, load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.errors import VideoMAEError
from videomae_cli.masking import MASKERS, REFINERS
from videomae_cli.tasks.recipes.check import build_on_meta

ROOT = Path(__file__).resolve().parent.parent
NAMES = recipe_paths.list_names()
STATUS = re.compile(
    r"(Transcribed|Reconstructed from the paper).*, not reproduced by us\.|Reproduced on 20"
)
EXPECTED = re.compile(r"\d+\.\d % top-1.*views|no accuracy in the model zoo")


@cache
def recipe_of(name: str) -> Recipe:
    return load_recipe(name)


def header_of(name: str) -> dict[str, str]:
    return recipe_paths.read_header(recipe_paths.builtin_dir() / f"{name}.yaml")


def family_of(name: str) -> str:
    return recipe_paths.family_of(header_of(name))


def test_the_recipes_of_this_checkout_are_the_ones_tested() -> None:
    assert recipe_paths.builtin_dir() == ROOT / "recipes"
    assert {"demo", "k400-vitb", "ucf101-vitb", "small-data-vits"} <= set(NAMES)


def test_a_header_has_schema_title_headings_and_a_known_family() -> None:
    required = {"Title", *recipe_paths.HEADINGS} - {"Differs", "Starts from"}
    problems = {}
    for name in NAMES:
        text = (recipe_paths.builtin_dir() / f"{name}.yaml").read_text(encoding="utf-8")
        if text.splitlines()[0] != "# yaml-language-server: $schema=schema.json":
            problems[name] = "first line"
        elif missing := required - header_of(name).keys():
            problems[name] = f"no {missing}"
        elif family_of(name) not in recipe_paths.FAMILIES:
            problems[name] = family_of(name)

    assert problems == {}


def test_the_header_of_a_published_recipe_has_status_source_accuracy_and_differences() -> None:
    problems = []
    for name in NAMES:
        header = header_of(name)
        if family_of(name) != "ours" and not (
            STATUS.match(header["Status"])
            and "arXiv" in header["Reproduces"]
            and EXPECTED.search(header["Expected"])
            and header.get("Differs")
        ):
            problems.append(name)

    assert problems == []


def test_the_command_of_a_header_uses_that_recipe() -> None:
    commands = {name: header_of(name)["Command"] for name in NAMES}

    assert {
        name: command
        for name, command in commands.items()
        if command != "videomae demo"
        and not command.startswith(f"videomae {recipe_of(name).kind} --recipe {name} ")
    } == {}


def test_a_fine_tuning_recipe_has_the_encoder_of_its_pretraining_recipe() -> None:
    problems = {}
    for name in recipe_paths.list_names("finetune"):
        before, after = recipe_of(header_of(name)["Starts from"].split()[0]), recipe_of(name)
        keys = ("size", "positions", "class_token", "biases")
        different = [k for k in keys if getattr(after.model, k) != getattr(before.model, k)]
        if different or after.clip.grid() != before.clip.grid():
            problems[name] = different or ["clip"]

    assert problems == {}


def test_a_recipe_has_the_features_of_its_family_and_no_others() -> None:
    problems = []
    for name in NAMES:
        recipe, family = recipe_of(name), family_of(name)
        selection = recipe.select if recipe.kind == "finetune" else recipe.mask.pool
        features = {
            "MAE-ST": recipe.model.positions == "separable",
            "EVEREST": selection is not None,
        }
        if recipe.kind == "pretrain":
            features["VideoMAE V2"] = recipe.mask.targets == "running-cell"
        problems += [
            f"{name}: {owner}"
            for owner, has_feature in features.items()
            if has_feature != (family == owner)
        ]

    assert problems == []


def test_clips_are_not_mirrored_where_left_and_right_are_classes() -> None:
    assert [n for n in NAMES if n.startswith("ssv2-") and recipe_of(n).augment.flip] == []


def test_every_recipe_builds_a_model_of_its_size_without_memory() -> None:
    problems = {}
    for name in NAMES:
        try:
            model = build_on_meta(recipe_of(name))
        except (VideoMAEError, AssertionError, RuntimeError) as error:
            problems[name] = str(error)
            continue
        devices = {parameter.device.type for parameter in model.parameters()}
        depth = len(model.encoder.blocks)
        if (depth, devices) != (SIZES[recipe_of(name).model.size].depth, {"meta"}):
            problems[name] = f"{depth} blocks on {devices}"

    assert problems == {}


def test_every_key_of_a_recipe_is_used_somewhere() -> None:
    keys = {
        key.rpartition(".")[2] for model in RECIPE_CLASSES.values() for key in dotted_keys(model)
    }
    sections = {"clip.py", "model.py", "schema.py", "spec.py", "training.py"}
    used = {
        node.attr
        for path in (ROOT / "videomae_cli").rglob("*.py")
        if path.parent.name != "config" or path.name not in sections
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }

    assert sorted(keys - used) == []


def test_the_readme_and_the_schema_are_up_to_date() -> None:
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


def test_the_schema_describes_every_key_and_forbids_unknown_ones() -> None:
    groups = json.loads(recipe_schema())["$defs"]

    assert [name for name, group in groups.items() if group["additionalProperties"]] == []
    assert [
        f"{name}.{key}"
        for name, group in groups.items()
        for key, field in group["properties"].items()
        if "description" not in field
    ] == []


def test_the_choices_of_the_schema_are_the_keys_of_the_dicts() -> None:
    assert set(get_args(Size)) == set(SIZES)
    assert set(get_args(MaskSpec.model_fields["strategy"].annotation)) == set(MASKERS)
    assert set(get_args(MaskSpec.model_fields["targets"].annotation)) == set(REFINERS)

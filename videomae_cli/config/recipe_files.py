"""Load a recipe by name or path, apply `--set`, and write a recipe as YAML.

A recipe file is complete: there is no inheritance and no interpolation. `dump_recipe` writes every
field, defaults included, except `clip.channels: 3`, and its output loads back equal.
"""

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from videomae_cli.config.clip import V1_RULES
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe
from videomae_cli.config.spec import STAND_INS
from videomae_cli.errors import RecipeError
from videomae_cli.report import format_json

RecipeKind = Literal["pretrain", "finetune"]

MAX_BYTES = 1_000_000
RECIPE_CLASSES: dict[str, type[PretrainRecipe] | type[FinetuneRecipe]] = {
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
}
RUN_FILES = ("recipe.yaml", "environment.json")  # which a run writes together
# key -> its meaning before it existed: a recipe.yaml that a run wrote then lacks it
OLDER_VALUES = {"clip.short": V1_RULES}
_PLAIN_TEXT = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_1_2_WORDS = {"true", "false", "null"}
_YAML_1_1_BOOLEANS = {"on", "off", "yes", "no", "y", "n"}
_UNPRINTABLE = re.compile(r"[\ufeff\ufffe\uffff]")  # YAML refuses them too


@overload
def load_recipe(
    name_or_path: str, overrides: Sequence[str], kind: Literal["pretrain"]
) -> PretrainRecipe: ...
@overload
def load_recipe(
    name_or_path: str, overrides: Sequence[str], kind: Literal["finetune"]
) -> FinetuneRecipe: ...
@overload
def load_recipe(
    name_or_path: str, overrides: Sequence[str] = (), kind: RecipeKind | None = None
) -> Recipe: ...
def load_recipe(
    name_or_path: str, overrides: Sequence[str] = (), kind: RecipeKind | None = None
) -> Recipe:
    """Find and read a recipe, apply the arguments of `--set`, and check the result.

    Keys that the `recipe.yaml` of an older run lacks have the values that they had then.

    Raises:
        RecipeError: The recipe is not found, not readable, of the other kind, or has problems (all
            are listed).
    """
    from videomae_cli.config import yaml_loader
    from videomae_cli.config.bind import bind
    from videomae_cli.config.recipe_paths import find_recipe

    path = find_recipe(name_or_path)
    file = _relative_to_cwd(path)
    mapping = yaml_loader.load(_read_text(path, file), where=file)
    if not isinstance(mapping, dict):
        raise RecipeError(f"{file}: not a recipe: expected keys with values")
    values = {
        key: yaml_loader.load(written, where=f"--set {key}")
        for key, written in _split_overrides(overrides).items()
    }
    older = _older_values(mapping) if _is_of_a_run(path) else {}
    mapping = _apply_overrides(mapping, older | values)
    recipe_class = _recipe_class(mapping.get("kind"), kind, file)
    return bind(mapping, recipe_class, file=file, overridden=values)


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML text that loads back equal."""
    lines = [f"kind: {recipe.kind}"]
    for key, value in recipe.model_dump(mode="json", exclude={"kind"}).items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_to_yaml(one)}" for inner, one in value.items()]
        else:
            lines.append(f"{key}: {_to_yaml(value)}")
    return "\n".join(lines) + "\n"


def _relative_to_cwd(path: Path) -> str:
    """Return the path relative to the working directory if it is inside, for messages."""
    cwd = Path.cwd()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links)
    return (absolute.relative_to(cwd) if absolute.is_relative_to(cwd) else path).as_posix()


def _read_text(path: Path, file: str) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{file}: larger than {MAX_BYTES:,} bytes: is this a recipe?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file}: not UTF-8 text: is this a recipe?") from error


def _split_overrides(overrides: Sequence[str]) -> dict[str, str]:
    written: dict[str, str] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", key):
            raise RecipeError(f"--set {text}: not KEY=VALUE", "for example --set mask.ratio=0.85")
        if not value.strip():
            raise RecipeError(f"--set {text}: the value is missing", "write null for no value")
        if key in written:
            raise RecipeError(f"--set {key}: given twice")
        written[key] = value.translate(STAND_INS)
    return written


def _apply_overrides(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(copy.deepcopy(mapping))
    for key, value in values.items():
        if isinstance(value, dict):
            raise RecipeError(f"--set {key}: a group of keys", "set its keys one by one")
        *groups, name = key.split(".")
        inner = result
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise RecipeError(f"--set {key}: {group} is a value, not a group of keys")
        inner[name] = value
    return result


def _is_of_a_run(path: Path) -> bool:
    return path.name in RUN_FILES and all((path.parent / name).is_file() for name in RUN_FILES)


def _older_values(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a complete recipe lacks, with the values that they had when it began."""
    missing = {}
    for key, value in OLDER_VALUES.items():
        group, _, name = key.partition(".")
        if isinstance(mapping.get(group), dict) and name not in mapping[group]:
            missing[key] = value
    return missing


def _recipe_class(
    actual: object, expected: RecipeKind | None, file: str
) -> type[PretrainRecipe] | type[FinetuneRecipe]:
    if expected is not None and actual in RECIPE_CLASSES and actual != expected:
        raise RecipeError(
            f"{file}: this is a {actual} recipe; use `videomae {actual}`",
            f"`videomae recipes ls {expected}` lists the {expected} recipes",
        )
    kind = expected or actual
    if not isinstance(kind, str) or kind not in RECIPE_CLASSES:
        raise RecipeError(f"{file}: kind: {actual!r} is not one of {', '.join(RECIPE_CLASSES)}")
    return RECIPE_CLASSES[kind]


def _to_yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_to_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_to_yaml(one) for one in value) + "]"
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        # with a point and a sign, so that YAML 1.1 readers take it for a number too
        return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else repr(value)
    if isinstance(value, bool | int | None):
        return json.dumps(value)
    is_plain = _PLAIN_TEXT.fullmatch(value) and value not in _YAML_1_2_WORDS
    if is_plain and value.lower() not in _YAML_1_1_BOOLEANS:
        return str(value)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", format_json(value))

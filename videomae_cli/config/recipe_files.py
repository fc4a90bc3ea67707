"""A recipe by name or path, with what `--set` changes; and back to text.

The file is the whole truth: no inheritance, no interpolation. `dump` writes every field, also those
left at their default, and what it writes loads back equal.
"""

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from videomae_cli.config import recipe_paths as library
from videomae_cli.config import yaml_loader
from videomae_cli.config.bind import bind
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe
from videomae_cli.errors import RecipeError

Kind = Literal["pretrain", "finetune"]

MAX_BYTES = 1_000_000
MODELS: dict[str, type[PretrainRecipe] | type[FinetuneRecipe]] = {
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
}
_PLAIN_TEXT = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_1_1_TRUTHS = {"on", "off", "yes", "no", "y", "n"}
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


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
    name_or_path: str, overrides: Sequence[str] = (), kind: Kind | None = None
) -> Recipe: ...
def load_recipe(
    name_or_path: str, overrides: Sequence[str] = (), kind: Kind | None = None
) -> Recipe:
    """Find, read, change and check a recipe.

    Args:
        name_or_path: A built-in recipe's name, or a file.
        overrides: What `--set` got: `mask.ratio=0.85`, the value as it would stand in the file.
        kind: What the recipe must be for; None takes either.

    Raises:
        RecipeError: Not found, not readable, of the other kind, or with problems (all are listed).
    """
    path = library.find(name_or_path)
    file = _display(path)
    mapping = _read(path, file)
    changes = [_change(text) for text in overrides]
    mapping = _changed(mapping, changes)
    return bind(
        mapping,
        _model(mapping.get("kind"), kind, file),
        file=file,
        overridden=[key for key, _ in changes],
    )


def dump(recipe: Recipe) -> str:
    """Write a recipe as YAML text that loads back equal."""
    lines = [f"kind: {recipe.kind}"]
    for key, value in recipe.model_dump(mode="json", exclude={"kind"}).items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_text(one)}" for inner, one in value.items()]
        else:
            lines.append(f"{key}: {_text(value)}")
    return "\n".join(lines) + "\n"


def _display(path: Path) -> str:
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links)
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()


def _read(path: Path, file: str) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{file}: more than {MAX_BYTES:,} bytes: is this a recipe?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file}: not UTF-8 text: is this a recipe?") from error
    mapping = yaml_loader.load(text, where=file)
    if not isinstance(mapping, dict):
        raise RecipeError(f"{file}: not a recipe: expected keys with values")
    return mapping


def _change(text: str) -> tuple[str, yaml_loader.Value]:
    key, equals, written = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", key):
        raise RecipeError(f"--set {text}: not KEY=VALUE", "for example --set mask.ratio=0.85")
    if not written.strip():
        raise RecipeError(f"--set {text}: no value", "write null for none")
    value = yaml_loader.load(written, where=f"--set {key}")
    if isinstance(value, dict):
        raise RecipeError(f"--set {key}: a group of keys", "set its keys one by one")
    return key, value


def _changed(
    mapping: Mapping[str, Any], changes: Sequence[tuple[str, yaml_loader.Value]]
) -> dict[str, Any]:
    result = dict(copy.deepcopy(mapping))
    seen = set[str]()
    for key, value in changes:
        if key in seen:
            raise RecipeError(f"--set {key}: given twice")
        seen.add(key)
        *groups, name = key.split(".")
        inner = result
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise RecipeError(f"--set {key}: {group} is a value, not a group of keys")
        inner[name] = value
    return result


def _model(
    found: object, kind: Kind | None, file: str
) -> type[PretrainRecipe] | type[FinetuneRecipe]:
    if kind is not None and found in MODELS and found != kind:
        raise RecipeError(
            f"{file}: this is a {found} recipe; use `videomae {found}`",
            f"`videomae recipes ls {kind}` lists those for {kind}",
        )
    if kind is not None:
        return MODELS[kind]
    if not isinstance(found, str) or found not in MODELS:
        raise RecipeError(f"{file}: kind: {found!r} is not one of {', '.join(MODELS)}")
    return MODELS[found]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        # with a point and a sign, so that YAML 1.1 readers take it for a number too
        return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else repr(value)
    if isinstance(value, int):
        return str(value)
    is_plain = _PLAIN_TEXT.fullmatch(value) and yaml_loader.parse_scalar(value) == value
    if is_plain and value.lower() not in _YAML_1_1_TRUTHS:
        return str(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)

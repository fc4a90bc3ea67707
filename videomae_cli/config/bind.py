"""Turn a mapping into an immutable recipe, or report every problem with its place and a suggestion.

    recipes/k400-vitb.yaml: mask.strategy: 'tubee' is not one of tube, space (did you mean 'tube'?)
    recipes/k400-vitb.yaml: optim.betas: expected 2 values, got 1
    --set optim.lr: unknown key (did you mean 'base_lr'?)

Pydantic does the checks; this file rewords its errors.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from videomae_cli.config.spec import STAND_INS
from videomae_cli.errors import RecipeError

ModelT = TypeVar("ModelT", bound=BaseModel)

# first word of a pydantic error type -> the value that was expected
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list of values",
    "model": "a group of keys",
}
# pydantic error type -> name of the bound in its context, words before the bound
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_UNKNOWN = "unknown key"
_BOOLEANS = {"on": "true", "yes": "true", "y": "true", "off": "false", "no": "false", "n": "false"}


def bind(
    mapping: Mapping[str, Any], model: type[ModelT], *, file: str, overridden: Collection[str] = ()
) -> ModelT:
    """Return the model that a mapping describes; messages name `file` or, if overridden, `--set`.

    Raises:
        RecipeError: The mapping does not fit the model; the message has one line for each problem.
    """
    try:
        # through JSON, from which strict mode accepts a list for a tuple and text for a path
        text = json.dumps(mapping, ensure_ascii=False).translate(STAND_INS)
        return model.model_validate_json(text)
    except ValidationError as error:
        problems = _find_problems(error.errors(include_url=False), mapping, model)
    lines = [f"{_place(key, text, file, overridden)}{text}" for key, text in problems]
    raise RecipeError("\n".join(lines))


def dotted_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """List every key of a model, groups included, in the form `mask.ratio`."""
    for name, field in model.model_fields.items():
        yield prefix + name
        inner = _group_model(field.annotation)
        if inner is not None:
            yield from dotted_keys(inner, f"{prefix}{name}.")


def _place(key: str, text: str, file: str, overridden: Collection[str]) -> str:
    """Return the file or the option that caused a problem, and its key."""
    inside = [known for known in overridden if known.startswith(f"{key}." if key else "")]
    is_option = any(key == one or key.startswith((f"{one}.", f"{one}[")) for one in overridden)
    if is_option or (inside and text.startswith(_UNKNOWN)):
        return f"--set {key}: "
    place = f"{file} with --set {', '.join(inside)}" if inside else file
    return f"{place}: {key}: " if key else f"{place}: "


def _find_problems(
    errors: Sequence[ErrorDetails], mapping: Mapping[str, Any], model: type[BaseModel]
) -> list[tuple[str, str]]:
    """Return key and text of each problem."""
    # a field with alternatives (a number or 'auto') has several errors with the same key
    grouped: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        grouped.setdefault(_dotted_key(error, mapping), []).append(error)
    # the list of a field with alternatives was meant, if one of its values is wrong
    lists = {key.rpartition("[")[0] for key in grouped if key.endswith("]")}
    grouped = {
        key: group
        for key, group in grouped.items()
        if key not in lists or group[0]["type"] != "literal_error"
    }
    problems, suggested = [], set[str]()
    for key, group in grouped.items():
        if any(other.startswith(f"{key}[") for other in grouped):
            continue  # a list was meant, and one of its values is wrong
        text = _describe(group)
        if group[0]["type"] == "extra_forbidden":
            known = _closest_key(key, model)
            if known:
                suggested.add(known)
                is_same_group = known.rpartition(".")[0] == key.rpartition(".")[0]
                shown = known.rpartition(".")[2] if is_same_group else known
                text += f" (did you mean '{shown}'?)"
        problems.append((key, text))
    return [(key, text) for key, text in problems if text != "missing" or key not in suggested]


def _describe(group: Sequence[ErrorDetails]) -> str:
    error = group[0]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _UNKNOWN
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        if not isinstance(error["loc"][-1], int):
            return "missing"
        last = max(int(one["loc"][-1]) for one in group)
        return f"expected {last + 1} values, got {len(value)}"
    if kind == "too_long" and len(group) == 1:
        return f"expected {context['max_length']} values, got {context['actual_length']}"
    if kind == "literal_error" and len(group) == 1:
        choices = _choices(error)
        return f"{_show(value)} is not one of {', '.join(choices)}{_suggest(value, choices)}"
    expected = " or ".join(_expected(one) for one in group)
    words = [word for one in group if one["type"] == "literal_error" for word in _choices(one)]
    advice = _advise(expected, value) or _suggest(value, words)
    return f"expected {expected}, got {_show(value)}{advice}"


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}"
    if kind == "missing":
        return f"{int(error['loc'][-1]) + 1} values"
    if kind == "too_long":
        return f"{context['max_length']} values"
    if kind == "literal_error":
        return " or ".join(repr(choice) for choice in _choices(error))
    return _EXPECTED.get(kind.split("_")[0], error["msg"])


def _advise(expected: str, value: Any) -> str:
    """Return how to write text that was meant as a boolean or a number."""
    if not isinstance(value, str):
        return ""
    if "true or false" in expected and value.lower() in _BOOLEANS:
        return f" (write {_BOOLEANS[value.lower()]})"
    if "number" in expected and re.fullmatch(r"[-+0-9._]+([eE][-+]?[0-9]+)?", value):
        return " (write it without quotes, underscores and leading zeros)"
    return ""


def _dotted_key(error: ErrorDetails, mapping: Mapping[str, Any]) -> str:
    """Return the dotted key of an error, without the parts that pydantic adds for unions."""
    value: Any = mapping
    key = ""
    for part in error["loc"]:
        if isinstance(value, Mapping):
            key = f"{key}.{part}" if key else str(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            key, value = f"{key}[{part}]", value[part]
    return key


def _closest_key(key: str, model: type[BaseModel]) -> str:
    """Return the known key with the same or a similar name, in the same group if possible."""
    everywhere = list(dotted_keys(model))
    group, _, name = key.rpartition(".")
    same_group = [known for known in everywhere if known.rpartition(".")[0] == group]
    for candidates in (same_group, everywhere):
        leaves: dict[str, str] = {}
        for known in candidates:
            leaves.setdefault(known.rpartition(".")[2], known)
        if name in leaves:
            return leaves[name]
        close = difflib.get_close_matches(name, leaves, n=1, cutoff=0.7)
        part = [leaf for leaf in leaves if name in leaf.split("_")]
        if close or part:
            return leaves[(close or part)[0]]
    return ""


def _group_model(annotation: Any) -> type[BaseModel] | None:
    types = (one for one in (annotation, *get_args(annotation)) if isinstance(one, type))
    return next((one for one in types if issubclass(one, BaseModel)), None)


def _choices(error: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", error.get("ctx", {})["expected"])


def _suggest(value: Any, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value), choices, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _show(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."

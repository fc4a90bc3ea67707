"""Read YAML strictly: a plain scalar is text unless YAML 1.2 makes it a number, boolean or null.

Differences from `yaml.SafeLoader`:

- `3e-4` is a number; `off`, `yes`, `010`, `1_000`, `16:9`, `2026-01-14` and `.inf` are text.
- A key that appears twice in a group is an error, and so is a key that is not a scalar.
- Anchors, aliases, merge keys, tags and second documents are errors: a recipe needs none of them.
"""

import math
import re
from typing import Any, NoReturn, TypeAlias

import yaml

from videomae_cli.errors import RecipeError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

MAX_DEPTH = 8
# no leading zeros and no underscores; 18 digits are enough for any count and quick to parse
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def load(text: str, *, where: str) -> Value:
    """Return the content of one YAML document; `where` is the file or option, for messages.

    Raises:
        RecipeError: The text is not valid YAML, or uses a feature that recipes do not have; the
            message contains the line.
    """
    try:
        return _Loader(text, where).load_document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        place = f"{where}:{line}" if "\n" in text else where
        raise RecipeError(f"{place}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not valid YAML: {error}") from error


def parse_scalar(text: str) -> Value:
    """Return the value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012  (a plain scalar has no type of its own)

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where
        self.depth = 0

    def load_document(self) -> Value:
        if not self.check_node():
            raise RecipeError(f"{self.where}: empty")
        value: Value = self.get_data()
        if self.check_node():
            self.refuse(self.peek_event(), "a second document")  # type: ignore[no-untyped-call]
        return value

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, f"the alias *{event.anchor}")
        if event.anchor is not None:
            self.refuse(event, f"the anchor &{event.anchor}")
        if event.tag is not None:
            self.refuse(event, f"the tag {event.tag}")
        if self.depth > MAX_DEPTH:
            self.refuse(event, f"more than {MAX_DEPTH} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_scalar(self, node: Any) -> Any:
        return parse_scalar(node.value) if node.style is None else node.value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        values: dict[str, Value] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise RecipeError(f"{self.where}:{line}: a key must be a word")
            if key == "<<":
                self.refuse(key_node, "the merge key <<")
            if key in lines:
                raise RecipeError(
                    f"{self.where}:{line}: key {key} appears twice, first on line {lines[key]}"
                )
            lines[key] = line
            values[key] = self.construct_object(value_node, deep=deep)
        return values

    def refuse(self, item: Any, name: str) -> NoReturn:
        raise RecipeError(
            f"{self.where}:{item.start_mark.line + 1}: {name} is not allowed in a recipe",
            "write every value out",
        )

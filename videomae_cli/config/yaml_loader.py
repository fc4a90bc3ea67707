"""YAML without its traps: what looks like text is text, and nothing is kept or dropped in silence.

Read from parser events, so no Python object is ever made. Differences from PyYAML's loaders:

- `3e-4` is a number; `off`, `yes`, `010`, `1_000`, `16:9`, `2026-01-14` and `.inf` are text.
- Two equal keys in one group are an error, and so is a key that is not text.
- Anchors, aliases, merge keys, tags and second documents are errors: a recipe is flat and complete.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from videomae_cli.errors import RecipeError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

MAX_DEPTH = 8
# no leading zeros, no underscores; 18 digits are enough for any count and too few to be a burden
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def load(text: str, *, where: str) -> Value:
    """Read one YAML document.

    Args:
        text: The document.
        where: Name of the file or option, for messages.

    Raises:
        RecipeError: It is not YAML, or uses what recipes do not; the message holds the line.
    """
    try:
        events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        return _document(events, where)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        place = f"{where}:{line}" if "\n" in text else where
        raise RecipeError(f"{place}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not valid YAML: {error}") from error


def scalar(text: str) -> Value:
    """Return what an unquoted word means."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _document(events: Iterator[Event], where: str) -> Value:
    event = next(events)
    assert isinstance(event, StreamStartEvent)
    event = next(events)
    if isinstance(event, StreamEndEvent):
        raise RecipeError(f"{where}: empty")
    value = _node(next(events), events, where, 0)
    event = next(events)
    assert isinstance(event, DocumentEndEvent)
    event = next(events)
    if not isinstance(event, StreamEndEvent):
        _refuse(event, where, "a second document")
    return value


def _node(event: Event, events: Iterator[Event], where: str, depth: int) -> Value:
    if isinstance(event, AliasEvent):
        _refuse(event, where, f"the alias *{event.anchor}")
    assert isinstance(event, NodeEvent)
    if event.anchor is not None:
        _refuse(event, where, f"the anchor &{event.anchor}")
    tag = getattr(event, "tag", None)
    if tag is not None:
        _refuse(event, where, f"the tag {tag}")
    if depth > MAX_DEPTH:
        _refuse(event, where, f"more than {MAX_DEPTH} levels")
    if isinstance(event, ScalarEvent):
        return scalar(event.value) if event.style is None else str(event.value)
    if isinstance(event, SequenceStartEvent):
        return _list(events, where, depth)
    assert isinstance(event, MappingStartEvent)
    return _group(events, where, depth)


def _list(events: Iterator[Event], where: str, depth: int) -> list[Value]:
    values = []
    while not isinstance(event := next(events), SequenceEndEvent):
        values.append(_node(event, events, where, depth + 1))
    return values


def _group(events: Iterator[Event], where: str, depth: int) -> dict[str, Value]:
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := next(events), MappingEndEvent):
        line = _line(event)
        if not isinstance(event, ScalarEvent):
            raise RecipeError(f"{where}:{line}: a key must be a word")
        key = str(event.value)
        if key == "<<":
            _refuse(event, where, "the merge key <<")
        _node(event, events, where, depth)  # a key may carry no anchor or tag either
        if key in lines:
            raise RecipeError(f"{where}:{line}: {key} is given twice, first on line {lines[key]}")
        lines[key] = line
        values[key] = _node(next(events), events, where, depth + 1)
    return values


def _refuse(event: Event, where: str, what: str) -> NoReturn:
    raise RecipeError(
        f"{where}:{_line(event)}: {what} has no place in a recipe", "write every value out"
    )


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1

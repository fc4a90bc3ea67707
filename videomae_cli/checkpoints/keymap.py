"""Translate tensor names between native and another format with one table for both directions.

A rule pairs a native name with its name in the format; `{i}` stands for a block number in both.
If tensors are split or joined on the way, a rule names several tensors on one side and has an
operation with its inverse. Two rules may have the same native name, for two spellings of it: the
first rule takes precedence and is used for writing. Translation is total: a name that no rule and
no drop matches is an error.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from videomae_cli.errors import CheckpointError

Tensors = tuple[Tensor, ...]
Weights = Mapping[str, Tensor]
Direction = Literal["to-native", "from-native"]
Kind = Literal["autoencoder", "classifier", "encoder"]
MAX_LISTED = 8


class Operation(NamedTuple):
    """A reversible operation on the tensors of one rule."""

    to_native: Callable[[Tensors], Tensors]
    from_native: Callable[[Tensors], Tensors]


IDENTITY = Operation(lambda tensors: tensors, lambda tensors: tensors)
JOIN = Operation(
    to_native=lambda parts: (torch.cat(parts),), from_native=lambda fused: fused[0].chunk(3)
)


class Rule(NamedTuple):
    """Tensors of a native model and the same tensors in another format."""

    native: tuple[str, ...]
    other: tuple[str, ...]
    operation: Operation = IDENTITY
    drops: tuple[tuple[str, str], ...] = ()
    """Parts of these tensors that are lost on the way to native: name and reason."""


class Drop(NamedTuple):
    """Tensors of a format that native models do not have, and why."""

    pattern: str
    """A name; `{i}` stands for a number, a `*` at the end for any text."""
    reason: str
    find_fault: Callable[[Tensor], str] | None = None
    """Returns why a tensor cannot be dropped; empty if it can."""


class Translation(NamedTuple):
    """Tensors under their new names, and the tensors that were dropped."""

    weights: dict[str, Tensor]
    dropped: dict[str, str]
    """Source name to reason."""
    origins: dict[str, str]
    """New name to source name, or to several."""


_Match = tuple[int, str]
"""Index of a rule, and the block number for `{i}`, empty if the rule has none."""


def map_names(pairs: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return rules that change names only: native name to the format's name."""
    return tuple(Rule((native,), (other,)) for native, other in pairs.items())


def translate(
    weights: Weights, rules: Sequence[Rule], direction: Direction, *, drops: Sequence[Drop] = ()
) -> Translation:
    """Translate tensors to the names of the other side of a table.

    Raises:
        CheckpointError: A name matches no rule and no drop, or a rule lacks some of its tensors.
    """
    groups, dropped = _group_by_rule(weights, rules, direction, drops)
    translated: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    for (index, block), tensors in sorted(groups.items(), key=lambda item: item[0][0]):
        rule = rules[index]
        results = _apply_rule(rule, direction, block, tensors)
        duplicates = [name for name in results if name in translated]
        if duplicates:
            dropped |= dict.fromkeys(
                tensors, f"{list_names(duplicates)} is there in another spelling"
            )
            continue
        translated |= results
        origins |= dict.fromkeys(results, list_names(tensors))
        if direction == "to-native":
            dropped |= {name.replace("{i}", block): reason for name, reason in rule.drops}
    return Translation(translated, dropped, origins)


def find_missing(weights: Weights, rules: Sequence[Rule], depths: Mapping[str, int]) -> list[str]:
    """Return the tensors of a table that native weights lack, by their names in the format.

    `depths` is the number of blocks by prefix of native names: `encoder.`, `decoder.`.
    """
    missing: list[str] = []
    seen: set[str] = set()
    for rule in rules:
        prefix = rule.native[0].partition("blocks.")[0]
        blocks = range(depths[prefix]) if "{i}" in rule.native[0] else range(1)
        for block in map(str, blocks):
            names = {pattern.replace("{i}", block) for pattern in rule.native}
            if not names <= seen and not names <= weights.keys():
                missing += [pattern.replace("{i}", block) for pattern in rule.other]
            seen |= names
    return missing


def list_names(names: Iterable[str], most: int = MAX_LISTED) -> str:
    """Return names for a message: the first few in full, then the number of others."""
    ordered = sorted(names)
    rest = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + rest


def _group_by_rule(
    weights: Weights, rules: Sequence[Rule], direction: Direction, drops: Sequence[Drop]
) -> tuple[dict[_Match, dict[str, Tensor]], dict[str, str]]:
    """Return the tensors of each rule and block, and the dropped names with their reasons."""
    matchers = [_compile(r.other if direction == "to-native" else r.native) for r in rules]
    drop_matchers = [(_compile((drop.pattern,)), drop) for drop in drops]
    groups: dict[_Match, dict[str, Tensor]] = {}
    dropped: dict[str, str] = {}
    unknown: list[str] = []
    for name, tensor in weights.items():
        match = _find_rule(name, matchers)
        drop = next((drop for matcher, drop in drop_matchers if matcher.fullmatch(name)), None)
        if match is not None:
            groups.setdefault(match, {})[name] = tensor
        elif drop is not None:
            if drop.find_fault is not None and (fault := drop.find_fault(tensor)):
                raise CheckpointError(f"{name}: {fault}")
            dropped[name] = drop.reason
        else:
            unknown.append(name)
    if unknown:
        raise CheckpointError(
            f"no rule for {list_names(unknown)}",
            "the file is from another model family, or from a variant that is not supported",
        )
    return groups, dropped


def _compile(patterns: tuple[str, ...]) -> re.Pattern[str]:
    joined = "|".join(re.escape(pattern) for pattern in patterns)
    return re.compile(joined.replace(r"\{i\}", r"(\d+)").replace(r"\*", ".*"))


def _find_rule(name: str, matchers: Sequence[re.Pattern[str]]) -> _Match | None:
    for rule, matcher in enumerate(matchers):
        match = matcher.fullmatch(name)
        if match is not None:
            return rule, next((block for block in match.groups() if block is not None), "")
    return None


def _apply_rule(
    rule: Rule, direction: Direction, block: str, tensors: Weights
) -> dict[str, Tensor]:
    native = [pattern.replace("{i}", block) for pattern in rule.native]
    other = [pattern.replace("{i}", block) for pattern in rule.other]
    sources, names = (other, native) if direction == "to-native" else (native, other)
    missing = [name for name in sources if name not in tensors]
    if missing:
        raise CheckpointError(
            f"missing: {list_names(missing)}, which belongs with {list_names(tensors)}",
            "the file is incomplete",
        )
    to_native, from_native = rule.operation
    operation = to_native if direction == "to-native" else from_native
    try:
        results = operation(tuple(tensors[name] for name in sources))
        return dict(zip(names, results, strict=True))
    except (RuntimeError, IndexError, ValueError) as error:  # raised by torch for wrong shapes
        shapes = (f"{name} is {'x'.join(map(str, tensors[name].shape))}" for name in sources)
        raise CheckpointError(f"shapes do not fit together: {', '.join(shapes)}") from error

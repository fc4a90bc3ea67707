"""A checkpoint format is a table of names; both directions come from the same table.

A rule pairs a native name with its name in the format, `{i}` standing for the number of a block in
both. Where tensors are cut or joined on the way, a rule names several tensors on a side and carries
an operation with its inverse. Two rules may lead to one native name, for two spellings of it: the
first one counts, and is the one that is written. Translation is total: a name that no rule and no
drop knows is an error, never a silence.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from videomae_cli.errors import CheckpointError

Tensors = tuple[Tensor, ...]
Direction = Literal["to-native", "from-native"]
Kind = Literal["autoencoder", "classifier", "encoder"]
MOST_NAMED = 8


class Operation(NamedTuple):
    """A reversible step on the tensors of one rule."""

    to_native: Callable[[Tensors], Tensors]
    from_native: Callable[[Tensors], Tensors]


def _unchanged(tensors: Tensors) -> Tensors:
    return tensors


SAME = Operation(_unchanged, _unchanged)


class Rule(NamedTuple):
    """Tensors of a native model and the same tensors in another format."""

    native: tuple[str, ...]
    other: tuple[str, ...]
    operation: Operation = SAME
    left: tuple[tuple[str, str], ...] = ()
    """What the way to native leaves behind of these tensors: name and reason."""


class Drop(NamedTuple):
    """Tensors of a format that native models do without, and why."""

    pattern: str
    """A name; `{i}` stands for a number, a `*` at the end for anything."""
    reason: str
    fault: Callable[[Tensor], str] | None = None
    """Says what is wrong with a tensor that cannot be done without; empty if nothing is."""


class Translation(NamedTuple):
    """Tensors under their new names, and what was left behind."""

    weights: dict[str, Tensor]
    dropped: dict[str, str]
    """Source name to reason."""
    origins: dict[str, str]
    """New name to source name, or several."""


def rename(pairs: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return rules that change names only: native name to the format's name."""
    return tuple(Rule((native,), (other,)) for native, other in pairs.items())


def translate(
    weights: Mapping[str, Tensor],
    rules: Sequence[Rule],
    direction: Direction,
    *,
    drops: Sequence[Drop] = (),
) -> Translation:
    """Carry tensors over to the other side of a table.

    Raises:
        CheckpointError: A name is in no rule and no drop, or a rule finds only some of its tensors.
    """
    sides = [_source(rule, direction) for rule in rules]
    lookup = [(_matcher(side), number) for number, side in enumerate(sides)]
    left = [(_matcher((drop.pattern,)), drop) for drop in drops]
    found: dict[tuple[int, str], dict[str, Tensor]] = {}
    dropped: dict[str, str] = {}
    unknown: list[str] = []
    for name, tensor in weights.items():
        place = _find(name, lookup)
        drop = next((drop for matcher, drop in left if matcher.fullmatch(name)), None)
        if place is not None:
            found.setdefault(place, {})[name] = tensor
        elif drop is not None:
            dropped[name] = _let_go(name, tensor, drop)
        else:
            unknown.append(name)
    if unknown:
        raise CheckpointError(
            f"no rule for {named(unknown)}",
            "the file is of another family, or of a variant that videomae does not know",
        )
    made: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    for (number, block), tensors in sorted(found.items(), key=lambda item: item[0][0]):
        rule = rules[number]
        results = _apply(rule, direction, block, tensors)
        if any(name in made for name in results):
            taken = named(name for name in results if name in made)
            dropped |= dict.fromkeys(tensors, f"{taken} is there in another spelling")
            continue
        made |= results
        origins |= dict.fromkeys(results, named(tensors))
        if direction == "to-native":
            dropped |= {name.replace("{i}", block): reason for name, reason in rule.left}
    return Translation(made, dropped, origins)


def lacking(
    weights: Mapping[str, Tensor], rules: Sequence[Rule], depths: Mapping[str, int]
) -> list[str]:
    """Return the names, in the format, of what a table promises and native weights do not have.

    Args:
        weights: Native names to tensors.
        rules: The table.
        depths: Number of blocks of each stack, by what native names begin with.
    """
    absent: list[str] = []
    seen: set[str] = set()
    for rule in rules:
        stem = rule.native[0].partition("blocks.")[0]
        blocks = range(depths[stem]) if "{i}" in rule.native[0] else range(1)
        for block in map(str, blocks):
            names = {pattern.replace("{i}", block) for pattern in rule.native}
            if not names <= seen and not names <= weights.keys():
                absent += [pattern.replace("{i}", block) for pattern in rule.other]
            seen |= names
    return absent


def named(names: Iterable[str]) -> str:
    """Name tensors in a message: the first few in full, the rest as a count."""
    ordered = sorted(names)
    rest = f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else ""
    return ", ".join(ordered[:MOST_NAMED]) + rest


def _source(rule: Rule, direction: Direction) -> tuple[str, ...]:
    return rule.other if direction == "to-native" else rule.native


def _target(rule: Rule, direction: Direction) -> tuple[str, ...]:
    return rule.native if direction == "to-native" else rule.other


def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    joined = "|".join(re.escape(pattern) for pattern in patterns)
    return re.compile(joined.replace(r"\{i\}", r"(\d+)").replace(r"\*", ".*"))


def _let_go(name: str, tensor: Tensor, drop: Drop) -> str:
    fault = drop.fault(tensor) if drop.fault is not None else ""
    if fault:
        raise CheckpointError(f"{name}: {fault}")
    return drop.reason


def _find(name: str, lookup: Sequence[tuple[re.Pattern[str], int]]) -> tuple[int, str] | None:
    for matcher, number in lookup:
        match = matcher.fullmatch(name)
        if match is not None:
            return number, next((block for block in match.groups() if block is not None), "")
    return None


def _apply(
    rule: Rule, direction: Direction, block: str, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    wanted = [pattern.replace("{i}", block) for pattern in _source(rule, direction)]
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise CheckpointError(
            f"{named(missing)} missing beside {named(tensors)}", "the file is not whole"
        )
    forward, backward = rule.operation
    operation = forward if direction == "to-native" else backward
    names = [pattern.replace("{i}", block) for pattern in _target(rule, direction)]
    try:
        results = operation(tuple(tensors[name] for name in wanted))
        return dict(zip(names, results, strict=True))
    except (RuntimeError, IndexError, ValueError) as error:  # what torch raises for shapes
        shapes = (f"{name} is {'x'.join(map(str, tensors[name].shape))}" for name in wanted)
        raise CheckpointError(f"{', '.join(shapes)}: these do not belong together") from error

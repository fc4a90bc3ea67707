"""Match the classes of a data set with those of a checkpoint: by name or number, never by position.

The position of a class says nothing: folders named 0 to 11 are sorted as text by many programs,
which gives 0, 1, 10, 11, 2. Names that are numbers are compared as numbers.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

MAX_LISTED = 5
NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.0)?")

_Key = int | str


class ClassMatch(NamedTuple):
    """The place of each class of a data set among the classes of a checkpoint."""

    places: tuple[int, ...]
    note: str = ""
    """One sentence on how they were matched; empty if the lists are equal."""
    is_assumed: bool = False
    """Whether one side has numbers only, so that the names of the other side cannot be checked."""

    @property
    def keeps_order(self) -> bool:
        """Whether each class has the same place on both sides."""
        return self.places == tuple(range(len(self.places)))


def match_classes(classes: Sequence[str], known: Sequence[str]) -> ClassMatch | None:
    """Return the place of each of the data's `classes` among the `known` ones of a checkpoint.

    In this order: equal lists; the same names, where a number is the same number (`10`, `10.0`);
    the same names up to case and punctuation (`air_drumming`, `Air drumming`); and, for lists of
    the same length of which only one has names, number k for the k-th name.

    Returns:
        None if the data have a class that the checkpoint does not have, or if names are ambiguous.
    """
    if tuple(classes) == tuple(known):
        return ClassMatch(tuple(range(len(classes))))
    for read_key, how in ((_read_key, "by name"), (_read_loose_key, "by name, spelled otherwise")):
        if places := _find_places(classes, known, read_key):
            return ClassMatch(places, _describe(classes, known, places, how))
    return _match_numbers(classes, known)


def describe_difference(classes: Sequence[str], known: Sequence[str]) -> str:
    """Return the first names of both lists, and those of the data that the checkpoint lacks."""
    known_keys = {_read_key(name) for name in known}
    absent = [name for name in classes if _read_key(name) not in known_keys]
    text = f"data: {_list(classes)}; checkpoint: {_list(known)}"
    return f"{text}; only in the data: {_list(absent)}" if absent else text


def _find_places(
    classes: Sequence[str], known: Sequence[str], read_key: Callable[[str], _Key]
) -> tuple[int, ...] | None:
    """Return the place of each class; None if one is missing, or two have the same key."""
    places = {read_key(name): place for place, name in enumerate(known)}
    keys = [read_key(name) for name in classes]
    if len(places) < len(known) or len(set(keys)) < len(keys) or not places.keys() >= set(keys):
        return None
    return tuple(places[key] for key in keys)


def _match_numbers(classes: Sequence[str], known: Sequence[str]) -> ClassMatch | None:
    """Match numbers from 0 on with as many names: number k is the k-th name."""
    keys, known_keys = ([_read_key(name) for name in side] for side in (classes, known))
    numbers = list(range(len(known)))
    sides = [(keys, known_keys), (known_keys, keys)]
    for one, other in sides:
        has_names = not any(isinstance(key, int) for key in other)
        if len(classes) == len(known) and has_names and set(one) == set(numbers):
            places = [known_keys.index(k) for k in numbers] if one is known_keys else one
            names, side = (classes, "checkpoint") if one is known_keys else (known, "data")
            pairs = [f"{k} = {name}" for k, name in enumerate(names)]
            verb = "only numbers its" if side == "checkpoint" else "only number their"
            note = f"the {side} {verb} {len(known):,} classes: assuming {_list(pairs)}"
            return ClassMatch(tuple(int(place) for place in places), note, is_assumed=True)
    return None


def _describe(
    classes: Sequence[str], known: Sequence[str], places: tuple[int, ...], how: str
) -> str:
    facts = [f"classes matched {how}"]
    if len(classes) < len(known):
        facts.append(f"the data have {len(classes):,} of the checkpoint's {len(known):,}")
    if list(places) != sorted(places):
        facts.append("the data list them in another order")
    return "; ".join(facts)


def _read_key(name: str) -> _Key:
    """Return a class name, or the number that it is."""
    number = NUMBER.fullmatch(name.strip())
    return int(number[1]) if number else name


def _read_loose_key(name: str) -> _Key:
    """Return the words of a class name; a name without any is its own key."""
    key = _read_key(name)
    if isinstance(key, int):
        return key
    return " ".join(re.findall(r"[^\W_]+", name.casefold())) or name


def _list(names: Sequence[str]) -> str:
    rest = f", ... ({len(names):,})" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + rest

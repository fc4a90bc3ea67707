"""What a pickle asks for, read from its op-codes: nothing is built, imported or called.

A stack of notes is kept instead of a stack of objects: of a class its name, of a tuple its height
and, while it is small, what is in it. That is enough to name every class a file needs, to add up
the tensors it promises, and to see tuples nested so deeply that Python itself would crash on them.
"""

import pickletools
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from videomae_cli.errors import CheckpointError

MOST_KEPT = 8  # entries of a tuple; the id of a storage has five or six
TALLEST_TUPLE = 64  # hashing a tuple nested some 10^5 deep overruns the C stack of Python

Held: TypeAlias = "str | int | tuple[Held, ...] | Name | None"


class Name(NamedTuple):
    """A class or function that a pickle asks for."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Survey(NamedTuple):
    """What a pickle asks for."""

    names: tuple[Name, ...]
    """Classes and functions, each once, in order."""
    persistent: tuple[Held, ...]
    """Ids of what lies outside the pickle: torch's storages."""


class _Note(NamedTuple):
    held: Held
    height: int = 0


_MARK = _Note("mark")
_UNKNOWN = _Note(None)
_LITERALS = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
    *("BINSTRING", "SHORT_BINSTRING", "STRING"),
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4"),
}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_NAMING = {"GLOBAL", "INST", "STACK_GLOBAL"}
_OUTSIDE = {"PERSID", "BINPERSID"}
_RECALLING = {"GET", "BINGET", "LONG_BINGET"}
_KEEPING = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}


def survey(stream: BinaryIO, place: Path) -> Survey:
    """Read one pickle and stop behind it; `place` is named in errors.

    Raises:
        CheckpointError: It nests tuples too deeply.
        ValueError: It is cut off or damaged.
    """
    names: dict[Name, None] = {}
    persistent: list[Held] = []
    stack: list[_Note] = []
    memo: dict[int, _Note] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in _KEEPING:
            memo[len(memo) if argument is None else int(argument)] = _pop_one(stack[-1:])
            continue
        popped = _pop(opcode, stack)
        if opcode.name in _RECALLING:
            made = [memo.get(int(argument or 0), _UNKNOWN)]
        else:
            made = _push(opcode, argument, popped)
            if made and made[0].height > TALLEST_TUPLE:
                raise CheckpointError(
                    f"{place} nests tuples more than {TALLEST_TUPLE} deep; refused"
                )
        if opcode.name in _NAMING and isinstance(made[0].held, Name):
            names[made[0].held] = None
        if opcode.name in _OUTSIDE:
            persistent.append(popped[0].held if popped else argument)
        stack += made
    return Survey(tuple(names), tuple(persistent))


def _pop(opcode: pickletools.OpcodeInfo, stack: list[_Note]) -> list[_Note]:
    """Take off what an op-code uses; the mark is not among it."""
    if opcode.name == "POP":
        return [stack.pop()] if stack else [_pop_one(stack)]
    before = opcode.stack_before
    fixed, taken = len(before), []
    if pickletools.markobject in before:
        fixed = before.index(pickletools.markobject)
        while stack and stack[-1] is not _MARK:
            taken.append(stack.pop())
        del stack[-1:]
    taken += [_pop_one(stack) for _ in range(fixed)]
    return taken[::-1]


def _pop_one(stack: list[_Note]) -> _Note:
    if not stack or stack[-1] is _MARK:
        raise ValueError("an op-code takes more than there is")
    return stack.pop()


def _push(opcode: pickletools.OpcodeInfo, argument: object, popped: list[_Note]) -> list[_Note]:
    if opcode.name in _TUPLES:
        return [_tuple(popped)]
    if opcode.name in _NAMING:
        return [_Note(_name(opcode.name, argument, popped))]
    if opcode.name in _LITERALS:
        return [_Note(argument if isinstance(argument, str | int) else None)]
    if opcode.name == "DUP":
        return popped * 2
    return [_MARK if made is pickletools.markobject else _UNKNOWN for made in opcode.stack_after]


def _tuple(items: list[_Note]) -> _Note:
    height = 1 + max((item.height for item in items), default=0)
    is_small = height == 1 and len(items) <= MOST_KEPT
    return _Note(tuple(item.held for item in items) if is_small else None, height)


def _name(opcode: str, argument: object, popped: list[_Note]) -> Name:
    module: object
    name: object
    if opcode == "STACK_GLOBAL":
        module, name = (note.held for note in popped)
    else:
        module, _, name = str(argument).partition(" ")
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("it asks for a class without naming it")
    return Name(module, name)

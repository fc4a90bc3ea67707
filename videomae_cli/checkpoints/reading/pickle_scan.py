"""Scan a pickle by its opcodes; nothing is built, imported or called.

The scan keeps a stack of notes instead of objects: for a class its name, for a tuple its nesting
depth and, if it is small, its entries. This gives the names of all classes that a file needs and
the sizes of its tensors, and finds tuples that are nested too deeply.

Why `torch.serialization.get_unsafe_globals_in_checkpoint` is not used: measured with torch 2.15, it
does not accept files from before torch 1.6, knows only the opcodes of pickle protocol 2, does not
compare sizes (a file that declares a storage of 4 GB and contains 16 bytes passes), and finds
nothing wrong with a tuple nested 500,000 deep, on which `torch.load(weights_only=True)` then
crashes the process (segmentation fault).
"""

import pickletools
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from videomae_cli.errors import CheckpointError

MAX_KEPT_ENTRIES = 8  # of a tuple; the id of a storage has five or six
MAX_TUPLE_DEPTH = 64  # hashing a tuple nested some 10^5 deep overflows the C stack of Python

Value: TypeAlias = "str | int | tuple[Value, ...] | GlobalName | None"


class GlobalName(NamedTuple):
    """A class or function that a pickle needs."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Call(NamedTuple):
    """A call that a pickle makes."""

    name: GlobalName
    arguments: Value


class PickleScan(NamedTuple):
    """The result of scanning a pickle."""

    global_names: tuple[GlobalName, ...]
    """Classes and functions, each once, in order."""
    persistent_ids: tuple[Value, ...]
    """References to data outside the pickle: torch's storages."""
    calls: tuple[Call, ...]
    """Calls of named classes and functions, with those arguments that are small and simple."""


class _Note(NamedTuple):
    """What is known of one object on the stack, with the nesting depth of a tuple."""

    value: Value
    depth: int = 0


_MARK = _Note("mark")
_UNKNOWN = _Note(None)
_LITERALS = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
    *("BINSTRING", "SHORT_BINSTRING", "STRING"),
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4"),
}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_GLOBALS = {"GLOBAL", "INST", "STACK_GLOBAL"}
_PERSISTENT = {"PERSID", "BINPERSID"}
_CALLS = {"REDUCE", "NEWOBJ"}
_MEMO_READS = {"GET", "BINGET", "LONG_BINGET"}
_MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}


def scan_pickle(stream: BinaryIO, path: Path) -> PickleScan:
    """Scan one pickle, and leave the stream at its end; `path` is for messages.

    Raises:
        CheckpointError: Tuples are nested too deeply.
        ValueError: The pickle is truncated or damaged.
    """
    global_names: dict[GlobalName, None] = {}
    persistent_ids: list[Value] = []
    calls: list[Call] = []
    stack: list[_Note] = []
    memo: dict[int, _Note] = {}
    for opcode, argument, position in pickletools.genops(stream):
        if opcode.name in _MEMO_WRITES:
            index = len(memo) if argument is None else int(argument)
            if index > (position or 0):  # Python's unpickler allocates memory up to the index
                raise ValueError(f"it numbers an object {index:,}, more than it can contain")
            memo[index] = _pop_one(stack[-1:])
            continue
        popped = _pop(opcode, stack)
        if opcode.name in _MEMO_READS:
            pushed = [memo.get(int(argument or 0), _UNKNOWN)]
        else:
            pushed = _push(opcode, argument, popped)
            if pushed and pushed[0].depth > MAX_TUPLE_DEPTH:
                raise CheckpointError(
                    f"{path} nests tuples more than {MAX_TUPLE_DEPTH} deep; refused"
                )
        if opcode.name in _GLOBALS and isinstance(pushed[0].value, GlobalName):
            global_names[pushed[0].value] = None
        if opcode.name in _CALLS and popped and isinstance(popped[0].value, GlobalName):
            calls.append(Call(popped[0].value, popped[1].value))
        if opcode.name in _PERSISTENT:
            persistent_ids.append(popped[0].value if popped else argument)
        stack += pushed
    return PickleScan(tuple(global_names), tuple(persistent_ids), tuple(calls))


def _pop(opcode: pickletools.OpcodeInfo, stack: list[_Note]) -> list[_Note]:
    """Remove and return the inputs of an opcode; the mark is removed but not returned."""
    if opcode.name == "POP":
        return [stack.pop()] if stack else [_pop_one(stack)]
    before = opcode.stack_before
    fixed, popped = len(before), []
    if pickletools.markobject in before:
        fixed = before.index(pickletools.markobject)
        while stack and stack[-1] is not _MARK:
            popped.append(stack.pop())
        del stack[-1:]
    popped += [_pop_one(stack) for _ in range(fixed)]
    return popped[::-1]


def _pop_one(stack: list[_Note]) -> _Note:
    if not stack or stack[-1] is _MARK:
        raise ValueError("an opcode needs more inputs than the stack has")
    return stack.pop()


def _push(opcode: pickletools.OpcodeInfo, argument: object, popped: list[_Note]) -> list[_Note]:
    """Return the notes that an opcode adds to the stack."""
    if opcode.name in _TUPLES:
        return [_make_tuple(popped)]
    if opcode.name in _GLOBALS:
        return [_Note(_read_global_name(opcode.name, argument, popped))]
    if opcode.name in _LITERALS:
        return [_Note(argument if isinstance(argument, str | int) else None)]
    if opcode.name == "DUP":
        return popped * 2
    return [_MARK if kind is pickletools.markobject else _UNKNOWN for kind in opcode.stack_after]


def _make_tuple(entries: list[_Note]) -> _Note:
    depth = 1 + max((entry.depth for entry in entries), default=0)
    is_small = depth == 1 and len(entries) <= MAX_KEPT_ENTRIES
    return _Note(tuple(entry.value for entry in entries) if is_small else None, depth)


def _read_global_name(opcode: str, argument: object, popped: list[_Note]) -> GlobalName:
    module: object
    name: object
    if opcode == "STACK_GLOBAL":
        module, name = (note.value for note in popped)
    else:
        module, _, name = str(argument).partition(" ")
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("it needs a class without a name")
    return GlobalName(module, name)

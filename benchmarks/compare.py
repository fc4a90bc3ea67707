"""Compare two results of the same benchmark, and fail if a ratio got worse.

    python benchmarks/compare.py OLD.json NEW.json

Prints every ratio and the median of every side: old, new and change. Exit code 1: a ratio is more
than 5 % worse (each file says whether higher or lower is better); 2: the files cannot be compared,
because one lacks something that the other has, or they are of different benchmarks. Sides decide
nothing: seconds of two machines, or of two days, do not compare.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLERANCE = 0.05
WORSE, NOT_COMPARABLE = 1, 2
Content = dict[str, Any]


class NotComparable(Exception):  # noqa: N818  (it is what the files are)
    """The files cannot be compared; the message says why."""


def read_result(path: Path) -> Content:
    """Read a result of a benchmark.

    Raises:
        NotComparable: It cannot be read, or is not such a result.
    """
    try:
        content: Content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotComparable(f"{path}: cannot be read: {error}") from error
    parts = ("benchmark", "sides", "ratios", "better")
    if missing := [part for part in parts if part not in content]:
        raise NotComparable(f"{path}: no result of a benchmark: it lacks {', '.join(missing)}")
    if unclear := content["ratios"].keys() - content["better"].keys():
        raise NotComparable(
            f"{path}: `better` does not say which direction is better for {', '.join(unclear)}"
        )
    return content


def compare(old: Content, new: Content) -> tuple[list[str], list[str]]:
    """Return the lines to print, and the names of the ratios that got worse.

    Raises:
        NotComparable: One of them lacks a ratio, or they are of different benchmarks.
    """
    if old["benchmark"] != new["benchmark"]:
        raise NotComparable(f"the old result is of {old['benchmark']}, not of {new['benchmark']}")
    for content, other, name in ((old, new, "new"), (new, old, "old")):
        if missing := content["ratios"].keys() - other["ratios"].keys():
            raise NotComparable(f"the {name} result lacks the ratios {', '.join(sorted(missing))}")
    lines, worse = [], []
    for name, before in old["ratios"].items():
        after, better = new["ratios"][name], new["better"][name]
        is_worse = got_worse(before, after, better)
        worse += [name] * is_worse
        lines.append(describe(name, before, after, f"WORSE ({better} is better)" * is_worse))
    return [*lines, *_describe_sides(old, new)], worse


def got_worse(before: float, after: float, better: str) -> bool:
    """Return whether a ratio is worse by more than the tolerance."""
    if better == "higher":
        return after * (1 + TOLERANCE) < before
    return after > before * (1 + TOLERANCE)


def describe(name: str, before: float, after: float, end: str = "") -> str:
    """Return a line: name, old, new, change."""
    change = f"{after / before - 1:+8.1%}" if before else " " * 8
    return f"{name:48s} {before:10.4g} {after:10.4g} {change}  {end}".rstrip()


def _describe_sides(old: Content, new: Content) -> Iterator[str]:
    for name in (*old["sides"], *(new["sides"].keys() - old["sides"].keys())):
        before, after = old["sides"].get(name), new["sides"].get(name)
        if before is None or after is None:
            yield f"{name:48s} only in the {'old' if after is None else 'new'} result"
        else:
            yield describe(name, before["median"], after["median"], after["unit"])


def main() -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    chosen = parser.parse_args()
    try:
        lines, worse = compare(read_result(chosen.old), read_result(chosen.new))
    except NotComparable as error:
        sys.stderr.write(f"compare.py: {error}\n")
        return NOT_COMPARABLE
    print("\n".join(lines))
    if worse:
        sys.stderr.write(f"more than {TOLERANCE:.0%} worse: {', '.join(worse)}\n")
    return WORSE if worse else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the tables of RESULTS.md from the results in benchmarks/results/.

    python benchmarks/write_tables.py
    python benchmarks/write_tables.py --check

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->` and shows
`results/NAME.json`, which a benchmark wrote with `--json`; everything else in the page is written
by hand. With --check nothing is written, and the exit code is 1 if a table differs.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from measuring.accuracy_tables import describe_accuracies, table

FOLDER = Path(__file__).resolve().parent
PAGE, RESULTS = FOLDER / "RESULTS.md", FOLDER / "results"
TABLE = re.compile(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
HIDDEN_SETTINGS = frozenset(["rounds", "device", "threads"])


def render(name: str, results: Path = RESULTS) -> str:
    """Return a table with its markers; without a file it says that nothing was measured."""
    path = results / f"{name}.json"
    text = describe(json.loads(path.read_text("utf-8"))) if path.is_file() else "not measured yet"
    return f"<!-- table: {name} -->\n\n{text}\n\n<!-- end -->"


def describe(content: dict[str, Any]) -> str:
    """Return a result as Markdown: how it was measured, ratios, sides, bounds, notes.

    Accuracies have tables of their own.
    """
    if "accuracies" in content:
        return describe_accuracies(content)
    parts = [describe_conditions(content)]
    if content["ratios"]:
        rows = [
            (f"`{name}`", _value(value, content["spread"].get(name)), content["better"][name])
            for name, value in content["ratios"].items()
        ]
        parts.append(table(("ratio", "median (quartiles)", "better"), rows))
    bounds = content.get("bound", {})
    parts.append(_side_table(content["sides"], hidden_unit="GFLOP/s" if bounds else ""))
    if bounds:
        names = next(iter(bounds.values()))
        rows = [
            (name.replace("_", " "), *(number(bound[name]) for bound in bounds.values()))
            for name in names
        ]
        parts.append(table(("bound", *bounds), rows))
    return "\n\n".join([*parts, *content["notes"]])


def _side_table(sides: dict[str, Any], hidden_unit: str) -> str:
    """Return a row for each side; what follows the last comma of a name is its column."""
    cells: dict[str, dict[str, str]] = {}
    for name, side in sides.items():
        if side["unit"] != hidden_unit:
            row, _, column = name.rpartition(", ")
            text = _value(side["median"], side["spread"], side["unit"])
            cells.setdefault(row or column, {})[column if row else "median"] = text
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    rows = [(name, *(row.get(column, "") for column in columns)) for name, row in cells.items()]
    return table(("median (quartiles)", *columns), rows)


def describe_conditions(content: dict[str, Any]) -> str:
    """Return machine, versions, date, load and settings in a paragraph."""
    machine, load, settings = content["machine"], content["load"], content["settings"]
    instructions = ", ".join(machine["instruction_sets"]) or "none of interest"
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    options = "; ".join(
        f"{name} {_words(value)}" for name, value in settings.items() if name not in HIDDEN_SETTINGS
    )
    share = load["other_cpu_during"]
    others = "not known" if share is None else f"{share:.1%} of the machine"
    return (
        f"{content['date'][:10]}, `{content['benchmark']}`, {settings['rounds']} rounds by turns;"
        f" {machine.get('gpu') or machine['processor']},"
        f" {machine['threads'] or machine['cores']} threads, {machine['memory_gb']} GB,"
        f" {instructions}; {versions}; CPU used by other programs {others}. {options}."
    )


def number(value: object) -> str:
    """Return a number with three digits; other values as they are."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _value(median: float, spread: list[float] | None, unit: str = "") -> str:
    text = f"{number(median)} {unit}".rstrip()
    if spread and spread[0] != spread[1]:
        text += f" ({number(spread[0])} to {number(spread[1])})"
    return text


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def updated(page: str, results: Path = RESULTS) -> str:
    """Return the page with all tables written anew."""
    return TABLE.sub(lambda found: render(found[1], results), page)


def main() -> int:
    """Write the page, or with --check return 1 if a table differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it differs")
    page = PAGE.read_text(encoding="utf-8")
    fresh = updated(page)
    if parser.parse_args().check:
        if page != fresh:
            sys.stderr.write("benchmarks/RESULTS.md differs: run benchmarks/write_tables.py\n")
        return int(page != fresh)
    PAGE.write_text(fresh, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

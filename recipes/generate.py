"""Write what follows from the recipes and their models: `schema.json`, and tables in `README.md`.

`python recipes/generate.py` writes them; with `--check` it only compares, and exits 1 when stale.
"""

import sys
from pathlib import Path

from videomae_cli.config import recipe_paths
from videomae_cli.config.json_schema import recipe_schema

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- tables: written by generate.py -->", "<!-- end of tables -->"
COLUMNS = ("Recipe", "Source", "Cost", "Published top-1 (clips x crops)", "Status")


def tables() -> str:
    """Return one table per family, from the headers of the recipes."""
    said = {
        name: recipe_paths.read_header(HERE / f"{name}.yaml")
        for name in recipe_paths.list_by_family()
    }
    parts = []
    for family in recipe_paths.FAMILIES:
        of_family = [name for name in said if recipe_paths.family_of(said[name]) == family]
        cited, is_cited, _ = said[of_family[0]]["Reproduces"].partition("), ")
        rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, said[name]) for name in of_family)]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        parts.append("\n".join([f"### {cited})" if is_cited else "### Our own", "", *lines]))
    return "\n\n".join(parts)


def _row(name: str, said: dict[str, str]) -> tuple[str, ...]:
    cited, _, source = said["Reproduces"].partition("), ")
    cost = said["Cost"].removesuffix(". Not measured by us.")
    return (
        f"[`{name}`]({name}.yaml)",
        source or cited,
        cost,
        recipe_paths.published_top1(said) or "-",
        said["Status"],
    )


def readme(old: str) -> str:
    """Return the README with the tables in their place."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the two files, or with `--check` say which are stale."""
    old = (HERE / "README.md").read_text(encoding="utf-8")
    wanted = {HERE / "schema.json": recipe_schema(), HERE / "README.md": readme(old)}
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run python recipes/generate.py\n")
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

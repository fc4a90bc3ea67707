"""Write the files that are generated from the recipes: `schema.json` and the tables of `README.md`.

`python recipes/generate.py` writes them; `--check` only compares, and exits with 1 if a file is
outdated.
"""

import sys
from pathlib import Path

from videomae_cli.config import recipe_paths
from videomae_cli.config.json_schema import recipe_schema

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- tables: written by generate.py -->", "<!-- end of tables -->"
COLUMNS = ("Recipe", "Source", "Cost", "Published top-1 (clips x crops)", "Status")


def format_tables() -> str:
    """Return one table per family, from the headers of the recipes."""
    headers = {
        name: recipe_paths.read_header(HERE / f"{name}.yaml")
        for name in recipe_paths.list_by_family()
    }
    tables = []
    for family in recipe_paths.FAMILIES:
        names = [name for name in headers if recipe_paths.family_of(headers[name]) == family]
        method, is_cited, _ = headers[names[0]]["Reproduces"].partition("), ")
        rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, headers[name]) for name in names)]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        tables.append("\n".join([f"### {method})" if is_cited else "### Our own", "", *lines]))
    return "\n\n".join(tables)


def _row(name: str, header: dict[str, str]) -> tuple[str, ...]:
    method, _, source = header["Reproduces"].partition("), ")
    cost = header["Cost"].removesuffix(". Not measured by us.")
    return (
        f"[`{name}`]({name}.yaml)",
        source or method,
        cost,
        recipe_paths.published_top1(header) or "-",
        header["Status"],
    )


def update_readme(text: str) -> str:
    """Return the README with new tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{format_tables()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the two files, or with `--check` print the names of outdated ones."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    contents = {HERE / "schema.json": recipe_schema(), HERE / "README.md": update_readme(readme)}
    outdated = [
        path
        for path, text in contents.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in outdated:
            sys.stderr.write(f"{path.name} is outdated: run python recipes/generate.py\n")
        return int(bool(outdated))
    for path in outdated:
        path.write_text(contents[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

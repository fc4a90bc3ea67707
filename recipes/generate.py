"""Write what follows from the recipes and their models: `schema.json` and the table in `README.md`.

`python recipes/generate.py` writes them; with `--check` it only compares, and exits 1 when stale.
"""

import sys
from pathlib import Path

from videomae_cli.config import library
from videomae_cli.config.json_schema import recipe_schema

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- table: written by generate.py -->", "<!-- end of table -->"
COLUMNS = ("Recipe", "What", "Reproduces", "Expected", "Cost", "Verified?")


def table() -> str:
    """Return the table of all recipes, from their headers."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for path in sorted(HERE.glob("*.yaml"), key=lambda path: path.stem):
        said = library.header(path)
        cells = (said[key] for key in ("Title", "Reproduces", "Expected", "Cost", "Status"))
        rows.append((f"[`{path.stem}`]({path.name})", *cells))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def readme(old: str) -> str:
    """Return the README with the table in its place."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


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

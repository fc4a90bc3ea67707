"""Write the map of files in docs/architecture.md: one line per file, from its docstring."""

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "videomae_cli"
PAGE = ROOT / "docs/architecture.md"
START, END = "<!-- map: written by docs/file_map.py -->", "<!-- end of map -->"


def describe(path: Path) -> str:
    """Return the first sentence of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").rstrip(".")


def file_map() -> str:
    """Return the map as Markdown: a list per folder, in the order of the tree."""
    lines = []
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        lines += [f"`{folder.relative_to(ROOT).as_posix()}/`", ""]
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"- `{path.name}` {describe(path)}")
        lines.append("")
    return "\n".join(lines)


def updated(page: str) -> str:
    """Return the page with a fresh map."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n\n{file_map()}\n{END}{after}"


def main() -> int:
    """Write the page, or with `--check` return 1 if it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    page = PAGE.read_text(encoding="utf-8")
    fresh = updated(page)
    if parser.parse_args().check:
        if page != fresh:
            sys.stderr.write(f"{PAGE.relative_to(ROOT)} is stale: run `make generate`\n")
        return int(page != fresh)
    PAGE.write_text(fresh, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

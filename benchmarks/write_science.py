"""Write the tables and plots of docs/science.md from benchmarks/results/science.json.

    python benchmarks/write_science.py
    python benchmarks/write_science.py --check

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->`; everything else in the
page is written by hand. With --check nothing is written, and the exit code is 1 if a table differs.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from lab.page import updated

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "science.md"
RESULTS = ROOT / "benchmarks" / "results" / "science.json"


def read_results(path: Path = RESULTS) -> dict[str, Any] | None:
    """Return the results; None if nothing was measured."""
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> int:
    """Write the page, or with --check return 1 if a table differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it differs")
    flags = parser.parse_args()
    content, page = read_results(), PAGE.read_text(encoding="utf-8")
    fresh = updated(page, content)
    if flags.check:
        if page != fresh:
            sys.stderr.write("docs/science.md differs: run benchmarks/write_science.py\n")
        return int(page != fresh)
    PAGE.write_text(fresh, encoding="utf-8", newline="\n")
    if content is not None:
        from lab.plots import draw_plots

        draw_plots(content, PAGE.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The lowest versions that are tested are the lowest that pyproject.toml allows."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_tested_lowest_versions_are_the_bounds_of_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert block
    bounds = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', block[1]))
    assert len(bounds) == block[1].count('"') // 2

    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))

    assert tested == bounds

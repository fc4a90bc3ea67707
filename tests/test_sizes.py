"""Small files: 400 lines is a hard stop, and no file is named after not having decided."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARD_STOP = 400
UNDECIDED = {"utils", "misc", "common", "helpers", "core", "base"}
FILES = sorted(
    path
    for folder in ("videomae_cli", "tests", "completions", "recipes", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= HARD_STOP, f"{path.relative_to(ROOT)} has {lines} lines: it is two files"


def test_no_file_is_named_after_not_having_decided() -> None:
    assert [path.name for path in FILES if path.stem in UNDECIDED] == []

"""The changelog keeps its form, and its newest version is the package's."""

import re
from pathlib import Path

from videomae_cli import __version__

TEXT = (Path(__file__).resolve().parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
VERSIONS = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", TEXT, re.MULTILINE)
HEADINGS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Numerics"}


def test_the_newest_version_is_the_packages() -> None:
    assert VERSIONS[0][0] == __version__


def test_unreleased_comes_first_and_versions_go_down() -> None:
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    numbers = [tuple(map(int, version.split("."))) for version, _ in VERSIONS]

    assert headings[0] == "[Unreleased]"
    assert len(headings) == len(VERSIONS) + 1
    assert numbers == sorted(numbers, reverse=True)


def test_headings_are_the_known_ones_and_none_is_empty() -> None:
    found = re.findall(r"^### (.*)\n\n(.?)", TEXT, re.MULTILINE)

    assert found
    assert [name for name, first in found if name not in HEADINGS or first != "-"] == []

"""Every command line we publish parses, so no document shows a flag that is not there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from videomae_cli.cli.app import app
from videomae_cli.config import recipe_paths as library
from videomae_cli.errors import __doc__ as exit_codes

ROOT = Path(__file__).resolve().parent.parent
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("recipes/*.md")])


def published() -> list[str]:
    lines = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            lines += [line for line in block.splitlines() if line.startswith("videomae ")]
        lines += re.findall(r"`(videomae [^`]*)`", text)
    for name in library.list_names():
        lines.append(library.read_header(library.builtin_dir() / f"{name}.yaml")["Command"])
    for command in every(COMMANDS):
        lines += re.findall(r"^ +(videomae .*)$", command.help, re.MULTILINE)
    return sorted(set(lines))


def every(commands: dict[str, Any]) -> list[Any]:
    inner = [one for command in commands.values() for one in every(within(command))]
    return [*commands.values(), *inner]


def within(command: Any) -> dict[str, Any]:
    return dict(vars(command).get("commands", {}))


def parse(line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    commands = COMMANDS
    while words and not words[0].startswith("-") and commands:
        verb, *words = words
        commands[verb].make_context(verb, list(words))
        commands = within(commands[verb])


# `videomae prepare`, in a sentence, names a command and is no line to type
TYPED = [line for line in published() if len(line.split()) > 2]
NAMED = [line for line in published() if len(line.split()) == 2]


def test_published_command_lines_parse() -> None:
    assert {line: fault for line in TYPED if (fault := parse_fault(line))} == {}


def parse_fault(line: str) -> str:
    """Return why a command line does not parse; empty if it does."""
    try:
        parse(line)
    except Exception as error:  # noqa: BLE001  (whatever the parser raises is the finding)
        return f"{type(error).__name__}: {error}"
    return ""


def test_named_commands_exist() -> None:
    options = {"--install-completion", "--help", "--version"}

    assert {line.split()[1] for line in NAMED} <= {*COMMANDS, *options}
    assert len(TYPED) > 80 and len(NAMED) > 5


def test_a_wrong_line_would_be_seen() -> None:
    with pytest.raises(Exception, match="--clipz"):
        parse("videomae eval --clipz 5")
    with pytest.raises(Exception, match="--jsn"):
        parse("videomae recipes ls --jsn")


def test_the_first_screen_has_the_two_commands_and_the_three_lines() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:35])

    for line in (
        "make demo",
        "make test",
        "videomae pretrain --recipe k400-vitb",
        "videomae eval --clips 5 --crops 3",
        "videomae visualize-mask clip.mp4",
    ):
        assert re.search(rf"^{re.escape(line)}( |$)", first_screen, re.MULTILINE), line


def test_the_readme_lists_every_command_and_no_other() -> None:
    table = re.findall(
        r"^\| `videomae ([a-z-]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )

    assert sorted(table) == sorted(COMMANDS)


def test_the_readme_knows_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert codes == re.findall(r"\b(\d+) (?:done|our|command|data|check|train|stopped)", exit_codes)


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {link}"
        for path in DOCUMENTS
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8"))
        if not (path.parent / link).exists()
    ]

    assert broken == []

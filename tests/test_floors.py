"""Floors import downwards only (CONTRIBUTING.md draws them)."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "videomae_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
BOTTOM = {"errors", "grid", "rng"}
PARTS = {*BOTTOM, "config", "masking", "models", "data", "checkpoints", "engine"}
# what each floor may use of ours
OURS: dict[str, set[str]] = {
    "errors": set(),
    "grid": {"errors"},
    "rng": {"errors"},
    "config": {"errors", "grid"},
    "masking": {"errors", "grid", "config"},
    "models": {"errors", "grid", "config", "masking"},
    "data": {*BOTTOM, "config"},
    "checkpoints": {"errors", "grid", "config"},
    "engine": {"errors", "rng", "config"},
    "tasks": PARTS,
    "cli": {*PARTS, "tasks"},
}
# the libraries that have a floor of their own, and who may use them
HEAVY: dict[str, set[str]] = {
    "numpy": {"rng", "data", "checkpoints", "engine", "tasks"},
    "torch": {"masking", "models", "data", "checkpoints", "engine", "tasks"},
    "torchvision": {"data", "tasks"},
    "timm": {"models", "data", "tasks"},
    "accelerate": {"engine", "tasks"},
    "wandb": {"engine"},
    "decord": {"data"},
    "av": {"data", "tasks"},
    "PIL": {"data", "tasks"},
    "matplotlib": {"tasks"},
    "sklearn": {"tasks"},
    "jinja2": {"tasks"},
    "safetensors": {"checkpoints", "engine", "tasks"},
    "onnxscript": {"tasks"},
    "onnxruntime": {"tasks"},
    "pydantic": {"config", "checkpoints", "tasks"},
    "yaml": {"config", "tasks"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# what the front door may import of ours before a command runs; the rest waits inside functions
DOOR = {"videomae_cli.__version__", "videomae_cli.engine.report.Report"}
DOOR_FLOORS = {"errors", "config", "cli"}


class Import(NamedTuple):
    """One imported name, as `videomae_cli.grid.TokenGrid`, and whether it waits for a call."""

    line: int
    name: str
    is_deferred: bool


def imports(source: str) -> Iterator[Import]:
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(node.lineno, name, id(node) in inside) for name in names)


def wrong_imports(floor: str, source: str) -> list[str]:
    wrong = []
    for one in imports(source):
        library, _, rest = one.name.partition(".")
        if library == PACKAGE.name:
            used = rest.split(".")[0]
            is_allowed = used in OURS[floor] | {floor, "__version__"}
        else:
            is_allowed = floor in HEAVY.get(library, {floor})
        if not is_allowed:
            wrong.append(f"line {one.line} imports {one.name}")
    return wrong


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


INSIDE = [path for path in FILES if floor_of(path) not in ("__init__", "__main__")]


@pytest.mark.parametrize("path", INSIDE, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    assert wrong_imports(floor_of(path), path.read_text(encoding="utf-8")) == []


def test_every_floor_has_its_rules() -> None:
    assert {floor_of(path) for path in INSIDE} == set(OURS)


@pytest.mark.parametrize("path", [*(PACKAGE / "cli").glob("*.py")], ids=name_of)
def test_the_front_door_imports_little_before_a_command_runs(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    allowed = DOOR if path.name != "console.py" else {*DOOR, "videomae_cli.engine.report.Silence"}

    wrong = [
        f"line {one.line} imports {one.name}"
        for one in imports(source)
        if one.name.startswith(f"{PACKAGE.name}.")
        and not one.is_deferred
        and one.name.split(".")[1] not in DOOR_FLOORS
        and one.name not in allowed
    ]

    assert wrong == []


def test_only_the_console_knows_rich() -> None:
    users = [
        name_of(path)
        for path in FILES
        if any(one.name.split(".")[0] == "rich" for one in imports(path.read_text("utf-8")))
    ]

    assert users == ["cli/console.py"]


@pytest.mark.parametrize(
    ("floor", "line"),
    [
        ("engine", "from videomae_cli.models import encoder"),
        ("engine", "def f():\n    import videomae_cli.masking.tube"),
        ("checkpoints", "from videomae_cli.models.encoder import Encoder"),
        ("config", "import torch"),
        ("config", "def f():\n    from torch import nn"),
        ("tasks", "from rich.table import Table"),
        ("tasks", "from videomae_cli.cli import console"),
        ("grid", "import numpy as np"),
    ],
)
def test_a_wrong_import_is_seen_even_inside_a_function(floor: str, line: str) -> None:
    assert len(wrong_imports(floor, line)) == 1

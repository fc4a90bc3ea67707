"""The structure of the package: which file may import which, and how large things may be."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "videomae_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
GROUND = {"errors", "grid", "rng", "atomic", "report", "units", "position_table", "streams"}
PARTS = {*GROUND, "config", "masking", "models", "data", "checkpoints", "engine"}
# floor -> the other parts of the package that it may import
FLOORS: dict[str, set[str]] = {
    "errors": set(),
    "grid": {"errors"},
    "rng": set(),
    "atomic": {"report"},
    "report": set(),
    "units": set(),
    "position_table": set(),
    "streams": {"report"},
    "config": {"errors", "grid", "report"},
    "masking": {"errors", "grid", "config"},
    "models": {"errors", "grid", "position_table", "config", "masking"},
    "data": {*GROUND, "config"},
    "checkpoints": {*GROUND, "config"},
    "engine": {*GROUND, "config"},
    "tasks": PARTS,
    "api": {*PARTS, "tasks"},
    "cli": {*PARTS, "tasks"},
}
# room of `tasks/` -> the other rooms that it may import
SHARED_ROOMS = {"run_dir", "load_model"}
ROOMS: dict[str, set[str]] = {
    "run_dir": set(),
    "load_model": {"run_dir"},
    "starting_point": set(),
    "plateau": set(),
    "evaluate": {*SHARED_ROOMS, "prepare"},  # a list of videos is prepared before it is evaluated
    "predict": {*SHARED_ROOMS, "evaluate"},
    "probe": {*SHARED_ROOMS, "evaluate", "features"},
    "diagnose": {*SHARED_ROOMS, "plateau"},
    "train": {*SHARED_ROOMS, "evaluate", "diagnose", "probe"},  # a pretraining may be probed
    "dry_run": {*SHARED_ROOMS, "evaluate", "diagnose", "train"},
    "features": {*SHARED_ROOMS, "evaluate"},
    "demo": {*SHARED_ROOMS, "evaluate", "diagnose", "probe", "train", "prepare", "visualize"},
    "prepare": {"load_model", "starting_point"},
    "convert": {"load_model"},
    "visualize": {"load_model"},
    "recipes": {"load_model", "plateau", "starting_point"},
}
# library -> the floors that may import it
LIBRARIES: dict[str, set[str]] = {
    "numpy": {"rng", "data", "checkpoints", "engine", "tasks", "api"},
    "torch": {
        *("position_table", "masking", "models", "data", "checkpoints", "engine", "tasks", "api"),
    },
    "torchvision": {"data", "tasks"},
    "timm": {"data", "tasks"},
    "accelerate": {"engine", "tasks"},
    "wandb": {"engine"},
    "decord": {"data"},
    "torchcodec": {"data"},
    "av": {"data", "tasks"},
    "PIL": {"data", "tasks"},
    "matplotlib": {"tasks"},
    "sklearn": {"tasks"},
    "pyarrow": {"data", "tasks"},
    "distributed": {"data"},
    "jinja2": {"tasks"},
    "safetensors": {"checkpoints", "engine", "tasks"},
    "onnxscript": {"tasks"},
    "onnxruntime": {"tasks"},
    "pydantic": {"config", "checkpoints", "tasks"},
    "yaml": {"config", "tasks"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# what a command's file may import before the command runs; everything else waits in its function
EARLY_FLOORS = {"errors", "config", "cli", "report", "streams", "__version__"}
MAX_FILE_LINES = 250
MAX_TEST_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_FOLDER_FILES = 16
MAX_FILES_FOR_PRETRAINING = 75
VAGUE_NAMES = {"utils", "misc", "common", "helpers", "core", "base"}


class Import(NamedTuple):
    """One imported name, such as `videomae_cli.grid.TokenGrid`."""

    line: int
    name: str
    is_deferred: bool
    """Whether the import is inside a function."""

    @property
    def parts(self) -> list[str]:
        """Names below the package; empty for an import from a library."""
        library, *rest = self.name.split(".")
        return rest if library == PACKAGE.name else []


def imports_of(source: str) -> Iterator[Import]:
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


def place_of(path: Path) -> list[str]:
    return list(path.relative_to(PACKAGE).with_suffix("").parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def wrong_imports(place: list[str], source: str) -> list[str]:
    """Return the imports that a file at this place in the package must not have."""
    floor, room = place[0], place[1] if len(place) > 1 else ""
    wrong = []
    for one in imports_of(source):
        if not one.parts:
            library = one.name.split(".")[0]
            is_allowed = floor in LIBRARIES.get(library, {floor})
        elif one.parts[0] == floor == "tasks" and room != "__init__":
            is_allowed = one.parts[1] in ROOMS[room] | {room}
        else:
            is_allowed = one.parts[0] in FLOORS[floor] | {floor, "__version__"}
        if not is_allowed:
            wrong.append(f"line {one.line} imports {one.name}")
    return wrong


INSIDE = [path for path in FILES if place_of(path)[0] not in ("__init__", "__main__")]


def test_imports_go_down_the_floors_and_left_among_the_rooms() -> None:
    wrong = {name_of(p): found for p in INSIDE if (found := wrong_imports(place_of(p), text_of(p)))}

    assert wrong == {}


def test_every_floor_and_every_room_has_its_rules() -> None:
    places = [place_of(path) for path in INSIDE]

    assert {place[0] for place in places} == set(FLOORS)
    assert {place[1] for place in places if place[0] == "tasks"} == {*ROOMS, "__init__"}


def test_the_command_line_imports_little_before_a_command_runs() -> None:
    wrong = [
        f"{name_of(path)}: line {one.line} imports {one.name}"
        for path in (PACKAGE / "cli").rglob("*.py")
        for one in imports_of(text_of(path))
        if one.parts and not one.is_deferred and one.parts[0] not in EARLY_FLOORS
    ]

    assert wrong == []


def test_only_the_console_imports_rich() -> None:
    users = [
        name_of(path)
        for path in FILES
        if any(one.name.split(".")[0] == "rich" for one in imports_of(text_of(path)))
    ]

    assert users == ["videomae_cli/cli/console.py"]


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("engine/loop", "from videomae_cli.models import encoder"),
        ("engine/loop", "def f():\n    import videomae_cli.masking.tube"),
        ("checkpoints/loading", "from videomae_cli.models.encoder import Encoder"),
        ("config/schema", "import torch"),
        ("config/schema", "def f():\n    from torch import nn"),
        ("tasks/train/train", "from rich.table import Table"),
        ("tasks/train/train", "from videomae_cli.cli import console"),
        ("tasks/train/train", "from videomae_cli.tasks.dry_run import estimate"),
        ("tasks/diagnose/report", "from videomae_cli.tasks.train.job import Job"),
        ("tasks/run_dir", "from videomae_cli.tasks.train.job import Job"),
        ("grid", "import numpy as np"),
    ],
)
def test_a_wrong_import_is_seen_even_inside_a_function(place: str, line: str) -> None:
    assert len(wrong_imports(place.split("/"), line)) == 1


def test_pretraining_imports_few_files_and_no_checkpoint_format() -> None:
    script = (
        "import sys, videomae_cli.tasks.train.pretrain;"
        "print(*sorted(m for m in sys.modules if m.startswith('videomae_cli')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    modules = done.stdout.split()

    assert len(modules) <= MAX_FILES_FOR_PRETRAINING, modules
    unused = ("checkpoints.formats", "tasks.visualize", "tasks.convert")
    assert [
        m for m in modules if m.startswith(tuple(f"videomae_cli.{part}" for part in unused))
    ] == []


def test_folders_files_and_functions_are_small() -> None:
    folders = {path.parent for path in FILES}
    crowded = {
        name_of(folder): count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > MAX_FOLDER_FILES
    }
    long_files = {
        name_of(path): lines
        for path in FILES
        if (lines := len(text_of(path).splitlines())) > MAX_FILE_LINES
    }
    long_functions = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in FILES
        if place_of(path)[0] != "cli"
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert (crowded, long_files, long_functions) == ({}, {}, [])


def test_no_other_python_file_has_more_than_400_lines_or_a_vague_name() -> None:
    others = [
        path
        for folder in ("tests", "completions", "recipes", "benchmarks", "docs")
        for path in (ROOT / folder).rglob("*.py")
    ]
    long = {
        name_of(path): lines
        for path in others
        if (lines := len(text_of(path).splitlines())) > MAX_TEST_FILE_LINES
    }

    assert long == {}
    assert [name_of(path) for path in (*FILES, *others) if path.stem in VAGUE_NAMES] == []

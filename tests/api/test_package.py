"""Importing the package is cheap by its structure, and its types are there for users."""

import subprocess
import sys
from pathlib import Path

import pytest

import videomae_cli as vm

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "numpy",
    "pydantic",
    "accelerate",
    "av",
    "PIL",
    "yaml",
    "rich",
    "typer",
    "logging",
)
SCRIPT = """
import sys
import numpy as np
import torch
from pathlib import Path
import videomae_cli as vm

model: vm.Model = vm.load(Path("run"), device="cpu", precision="fp32", workers=0)
frames = np.zeros((8, 32, 32, 3), np.uint8)
one: vm.Prediction = model.predict(frames)
same: vm.Prediction = model.predict("a.mp4", top_k=3)
many: list[vm.Prediction] = model.predict(["a.mp4", "b.mp4"])
mixed: list[vm.Prediction] = model.predict([Path("a.mp4"), frames, torch.from_numpy(frames)])
name: str = one.top[0].name
shape: tuple[int, ...] = model.features(Path("a.mp4"), pooling="per-slice").values.shape
ratio: float = model.mask(frames, "tube", 0.9).ratio
psnr: float = model.reconstruct(frames).psnr
frames_of_a_clip: int = model.config.grid.frames
"""
WRONG = """
import videomae_cli as vm

model = vm.lod("run")
text: str = vm.load("run").predict("a.mp4")
vm.load("run").features("a.mp4", pooling="max")
"""


def modules_after(code: str) -> set[str]:
    """Return the modules that are loaded after some code has run in a fresh interpreter."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.split())


def test_importing_the_package_loads_no_library_and_none_of_its_files() -> None:
    before = modules_after("import typing, importlib")

    after = modules_after("import videomae_cli")

    assert {name for name in after - before if not name.startswith("_")} == {"videomae_cli"}
    assert not after & set(HEAVY)


def test_errors_are_there_without_torch() -> None:
    assert "torch" not in modules_after("import videomae_cli; videomae_cli.DataError")


def test_public_names_are_listed_and_exist() -> None:
    assert set(vm.__all__) <= set(dir(vm))
    assert all(getattr(vm, name) is not None for name in vm.__all__)
    assert vm.load.__module__.startswith("videomae_cli.")
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        vm.lod  # type: ignore[attr-defined]  # noqa: B018


def test_the_marker_of_types_is_in_the_package() -> None:
    assert (ROOT / "videomae_cli" / "py.typed").is_file()


@pytest.mark.slow
def test_programs_of_users_are_checked_with_precise_types(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]

    def check(name: str) -> str:
        options = ["--cache-dir", str(tmp_path / "cache"), str(tmp_path / name)]
        return subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT).stdout

    assert check("right.py").startswith("Success: no issues found in 1 source file")
    wrong = check("wrong.py")
    assert 'has no attribute "lod"' in wrong
    assert 'has type "Prediction"' in wrong
    assert "incompatible type" in wrong

"""Hostile files are refused by name: no code runs, nothing is written, little memory is used."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints.reading.hostile import HOSTILE
from videomae_cli.checkpoints.reading.files import read_contents
from videomae_cli.cli.app import app, run
from videomae_cli.errors import CheckpointError

MOST_MEGABYTES = 200


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_happens(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = HOSTILE[name]
    folder = tmp_path / "given"
    folder.mkdir()
    path = make(folder)
    before = contents(tmp_path)

    with pytest.raises(CheckpointError, match=words) as caught:
        app(["convert", str(path), str(tmp_path / "out")], standalone_mode=False)
    assert run(["convert", str(path), str(tmp_path / "out.pt2")]) == 4
    assert run(["convert", str(path), "--inspect"]) == 4

    assert caught.value.exit_code == 4 and str(folder) in caught.value.message
    assert contents(tmp_path) == before
    assert "Traceback" not in capsys.readouterr().err


def test_refusing_takes_little_memory_and_cannot_be_crashed(tmp_path: Path) -> None:
    paths = []
    for number, (make, _) in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number) / "given"
        folder.mkdir(parents=True)
        paths.append(str(make(folder)))
    code = f"""
import resource
from pathlib import Path
from videomae_cli.checkpoints.reading.files import read_contents
from videomae_cli.errors import CheckpointError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in {paths}:
    try:
        read_contents(Path(path))
    except CheckpointError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout) < MOST_MEGABYTES * 1024


def test_all_unsafe_names_are_listed(tmp_path: Path) -> None:
    import torch

    saved = {"model": {"a": torch.zeros(1)}, "range": range(3), "type": complex}
    torch.save(saved, tmp_path / "several.pth")

    with pytest.raises(CheckpointError) as caught:
        read_contents(tmp_path / "several.pth")

    assert (
        "needs builtins.complex, builtins.range, which could run code"
        in caught.value.message.replace("xrange", "range")
    )
    assert "save only its weights" in caught.value.hint

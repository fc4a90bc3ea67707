"""Features of videos that are given by name: folders of frames, and options that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.notes import CLASSIFIER, written
from videomae_cli.cli.app import run

FOLDERS, FRAMES = 3, 9


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    rng = np.random.default_rng(0)
    for number in range(FOLDERS * FRAMES):
        path = tmp_path / f"clips/{number // FRAMES}/{number % FRAMES:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(path)
    folders = [str(tmp_path / f"clips/{number}") for number in range(FOLDERS)]
    weights = str(written(tmp_path / "weights", CLASSIFIER))
    return ["features", *folders, "--checkpoint", weights, "--out", str(tmp_path / "out")]


def test_the_map_has_pictures_of_folders_of_frames(line: list[str], tmp_path: Path) -> None:
    assert run([*line, "--plot", "pca"]) == 0
    assert (tmp_path / "out/plot.html").read_text().count('"/9j/') == FOLDERS  # JPEG


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--window", "1", "--hop", "inf"], "--hop inf: not a duration"),
        (["--window", "inf"], "--window inf: not a duration"),
        (["--split", "train"], "--split and videos are both given"),
    ],
)
def test_options_without_a_meaning_are_refused_before_anything_is_written(
    words: list[str], message: str, line: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run([*line, *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_directory_is_refused(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    assert run(line) == 2
    assert "out cannot be created: File exists" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"

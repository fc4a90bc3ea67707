"""Real videos for the tests of `prepare`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that writes one real video to a path."""
    master = write_clip(tmp_path_factory.mktemp("clip") / "master.mp4", 6, height=32, width=48)

    def place(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(master, path)
        return path

    return place


@pytest.fixture
def folders(tmp_path: Path, clip: Callable[[Path], Path]) -> Path:
    """Two class folders, three videos each."""
    for name in ("run", "sit"):
        for place in range(3):
            clip(tmp_path / "source" / name / f"{place}.mp4")
    return tmp_path / "source"
